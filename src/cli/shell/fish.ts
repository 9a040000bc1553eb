import { type CommandSpec, isPath, type OptionSpec, type ProgramSpec } from './tree.js';

const quote = (text: string): string => `'${text.replace(/['\\]/g, '\\$&')}'`;

/** The completion of fish: a file `vmreclaim.fish` in `~/.config/fish/completions`. */
export function fishCompletion({ name, options, commands }: ProgramSpec): string {
  const begin = `complete -c ${name}`;
  const first = `${begin} -n __fish_use_subcommand`;
  return [
    `# Completion of ${name} for fish: put it into ~/.config/fish/completions/${name}.fish.`,
    `${begin} -f`,
    ...options.map((option) => `${first} ${optionText(option)}`),
    ...commands.map((command) => `${first} -a ${command.name} -d ${quote(command.description)}`),
    `${first} -a help -d 'the options of a command'`,
    `${begin} -n '__fish_seen_subcommand_from help' -a ${quote(commands.map((command) => command.name).join(' '))}`,
    ...commands.flatMap((command) => commandLines(begin, command)),
    '',
  ].join('\n');
}

function commandLines(begin: string, { name, options, arguments: positional }: CommandSpec): string[] {
  const seen = `__fish_seen_subcommand_from ${name}`;
  const here = `${begin} -n '${seen}'`;
  const choices = positional.flatMap((argument) => argument.choices).join(' ');
  // Files come behind the word that says what to do with them.
  const chosen = `__fish_seen_subcommand_from ${choices}`;
  const behind = choices === '' ? here : `${begin} -n '${seen}; and ${chosen}'`;
  return [
    ...(positional.some((argument) => isPath(argument.name)) ? [`${behind} -F`] : []),
    ...(choices === '' ? [] : [`${begin} -n '${seen}; and not ${chosen}' -a ${quote(choices)}`]),
    ...options.map((option) => `${here} ${optionText(option)}`),
  ];
}

function optionText({ short, long, value, choices, description }: OptionSpec): string {
  const words = [
    ...(short === undefined ? [] : [`-s ${short.slice(1)}`]),
    `-l ${long.slice(2)}`,
    ...(value === undefined ? [] : [isPath(value) ? '-r -F' : '-x']),
    ...(choices.length === 0 ? [] : [`-a ${quote(choices.join(' '))}`]),
    `-d ${quote(description)}`,
  ];
  return words.join(' ');
}
