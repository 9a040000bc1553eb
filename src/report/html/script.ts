/**
 * The script of the page: sorts and searches tables, searches maps, changes between light and dark. It loads and sends
 * nothing and makes no markup of text. Without it the page can be read as well.
 */
export const SCRIPT = `
'use strict';
const all = (root, selector) => [...root.querySelectorAll(selector)];
const valueOf = (cell) => {
  if (cell === undefined) return '';
  return cell.dataset.v === undefined ? cell.textContent.toLowerCase() : Number(cell.dataset.v);
};
const compare = (a, b) => {
  if (a === '' || b === '') return a === b ? 0 : a === '' ? 1 : -1;
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0;
};
const sortBy = (th) => {
  const body = th.closest('table').tBodies[0];
  const numeric = th.classList.contains('n');
  const now = th.getAttribute('aria-sort');
  const next = now === null ? (numeric ? 'descending' : 'ascending') : now === 'ascending' ? 'descending' : 'ascending';
  for (const other of th.parentNode.cells) other.removeAttribute('aria-sort');
  th.setAttribute('aria-sort', next);
  const rows = [...body.rows].map((row) => ({ row, value: valueOf(row.cells[th.cellIndex]) }));
  const sign = next === 'ascending' ? 1 : -1;
  rows.sort((a, b) => (a.value === '' || b.value === '' ? compare(a.value, b.value) : sign * compare(a.value, b.value)));
  body.append(...rows.map(({ row }) => row));
};
for (const button of all(document, 'th button')) button.addEventListener('click', () => sortBy(button.closest('th')));
for (const input of all(document, 'input[type=search]')) {
  const section = input.closest('section');
  const count = section.querySelector('output');
  const items = all(section, 'tbody tr, article');
  let texts;
  const search = () => {
    texts ??= items.map((item) => item.textContent.toLowerCase());
    const words = input.value.toLowerCase().split(/\\s+/).filter(Boolean);
    let shown = 0;
    items.forEach((item, index) => {
      const hit = words.every((word) => texts[index].includes(word));
      if (item.hidden === hit) item.hidden = !hit;
      if (hit) shown++;
    });
    count.textContent = words.length === 0 ? items.length : shown + ' of ' + items.length;
  };
  input.addEventListener('input', search);
  input.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    input.value = '';
    search();
  });
}
document.addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.target.matches('input')) return;
  event.preventDefault();
  document.querySelector('input[type=search]')?.focus();
});
const theme = document.getElementById('theme');
theme.addEventListener('click', () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
});
document.documentElement.dataset.ready = 'yes';
`;
