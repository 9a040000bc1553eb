/** What a host answers that knows of nothing but power, if of that. */
export abstract class PlainHost {
  async obstacles() {
    return [];
  }

  async question() {
    return null;
  }

  async locks() {
    return [];
  }

  async refresh() {
    return [];
  }

  async punch() {
    return false;
  }
}
