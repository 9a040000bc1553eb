/**
 * Does the text match the pattern? `*` stands for any characters, `?` for one; upper and lower case are the same.
 * No regular expression: names come from guests, and the time of this is bounded by the product of both lengths.
 */
export function matchesPattern(text: string, pattern: string): boolean {
  const letters = [...text.toLowerCase()];
  const signs = [...pattern.toLowerCase()];
  let at = 0;
  let sign = 0;
  let star = -1;
  let resumeAt = 0;
  while (at < letters.length) {
    if (signs[sign] === '*') {
      star = sign++;
      resumeAt = at;
    } else if (signs[sign] === '?' || signs[sign] === letters[at]) {
      sign++;
      at++;
    } else if (star >= 0) {
      // Let the last star take one letter more.
      sign = star + 1;
      at = ++resumeAt;
    } else {
      return false;
    }
  }
  return signs.slice(sign).every((rest) => rest === '*');
}

/** Does any of the patterns match? */
export const matchesAny = (text: string, patterns: readonly string[]): boolean =>
  patterns.some((pattern) => matchesPattern(text, pattern));
