/** CSV as RFC 4180 has it, read independently of what writes it: rows by the names of the heading. */
export function csvRows(text: string): Record<string, string>[] {
  const records: string[][] = [[]];
  let cell = '';
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const sign = text[at];
    if (quoted) {
      if (sign !== '"') cell += sign;
      else if (text[at + 1] === '"') cell += text[at++];
      else quoted = false;
    } else if (sign === '"') quoted = true;
    else if (sign === ',' || sign === '\r') {
      records.at(-1)?.push(cell);
      cell = '';
      if (sign === '\r') {
        if (text[++at] !== '\n') throw new Error(`a line ends with CR alone at ${at}`);
        records.push([]);
      }
    } else cell += sign;
  }
  if (cell !== '' || quoted || records.at(-1)?.length !== 0) throw new Error('the last line has no end');
  const [heading = [], ...rows] = records.slice(0, -1);
  return rows.map((row) => {
    if (row.length !== heading.length)
      throw new Error(`${row.length} cells below ${heading.length} headings`);
    return Object.fromEntries(heading.map((name, place) => [name, row[place] ?? '']));
  });
}
