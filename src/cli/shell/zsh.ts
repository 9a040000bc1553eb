import { type ArgumentSpec, type CommandSpec, isPath, type OptionSpec, type ProgramSpec } from './tree.js';

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
/** Brackets and colons mean something to `_arguments`. */
const escaped = (text: string): string => text.replace(/[\\[\]:]/g, '\\$&');

/** The completion of zsh: a file `_vmreclaim` in a folder of `$fpath`. */
export function zshCompletion({ name, commands, options }: ProgramSpec): string {
  const told = commands.map((command) => quote(`${command.name}:${command.description}`));
  return `#compdef ${name}
# Completion of ${name} for zsh: put it into a folder of $fpath under the name _${name}.
_${name}() {
  local curcontext=$curcontext state line
  local -a commands
  typeset -A opt_args
  commands=(${told.join(' ')} 'help:the options of a command')
  _arguments -C ${options.map(optionText).join(' ')} '1:command:->command' '*::argument:->argument' && return
  case $state in
    command) _describe command commands ;;
    argument)
      case $words[1] in
        help) _describe command commands ;;
${commands.map(commandCase).join('\n')}
      esac ;;
  esac
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _${name} "$@"; else compdef _${name} ${name}; fi
`;
}

const commandCase = ({ name, options, arguments: positional }: CommandSpec): string =>
  `${[
    `        ${name}) _arguments -s`,
    ...options.map((option) => `          ${optionText(option)}`),
    ...positional.map((argument, index) => `          ${argumentText(argument, index)}`),
  ].join(' \\\n')} ;;`;

function optionText({ short, long, value, choices, description }: OptionSpec): string {
  const what = value === undefined ? '' : `:${escaped(value)}:${valueText(value, choices)}`;
  const text = (flag: string) => quote(`*${flag}[${escaped(description)}]${what}`);
  return [...(short === undefined ? [] : [text(short)]), text(value === undefined ? long : `${long}=`)].join(
    ' ',
  );
}

function argumentText({ name, required, variadic, choices }: ArgumentSpec, index: number): string {
  const place = variadic ? '*' : `${index + 1}`;
  return quote(`${place}:${required ? '' : ':'}${escaped(name)}:${valueText(name, choices)}`);
}

function valueText(name: string, choices: readonly string[]): string {
  if (choices.length > 0) return `(${choices.join(' ')})`;
  return isPath(name) ? '_files' : ' ';
}
