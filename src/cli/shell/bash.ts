import { type CommandSpec, isPath, type OptionSpec, type ProgramSpec } from './tree.js';

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
const names = ({ short, long }: OptionSpec): string[] => [...(short === undefined ? [] : [short]), long];

/** The completion of bash: needs nothing but bash itself, so no package `bash-completion`. */
export function bashCompletion({ name, options, commands }: ProgramSpec): string {
  const first = [...commands.map((command) => command.name), 'help', ...options.flatMap(names)];
  const all = commands.map((command) => command.name);
  return `# Completion of ${name} for bash: source this file, or put it into /etc/bash_completion.d.
_${name}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command= action= words= file= index
  COMPREPLY=()
  # Bash makes words of their own of the equals signs.
  if [[ $cur == = ]]; then cur=
  elif [[ $prev == = ]]; then prev=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((index = 1; index < COMP_CWORD; index++)); do
    [[ \${COMP_WORDS[index]} == -* ]] && continue
    if [[ -z $command ]]; then command=\${COMP_WORDS[index]}
    else action=\${COMP_WORDS[index]}; break
    fi
  done
  case $command in
    '') words=${quote(first.join(' '))} ;;
    help) words=${quote(all.join(' '))} ;;
${commands.map(commandCase).join('\n')}
  esac
  if [[ -n $file && $cur != -* ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
  fi
  mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _${name} ${name}
`;
}

/** Values of the option before; else options behind a dash, and what the arguments are: one of some words, or a file. */
function commandCase({ name, options, arguments: positional }: CommandSpec): string {
  const valued = options.filter(({ value }) => value !== undefined);
  const cases = valued.map((option) => {
    const does = isPath(option.value) ? 'file=1' : `words=${quote(option.choices.join(' '))}`;
    return `        ${names(option).join('|')}) ${does} ;;`;
  });
  const file = positional.some((argument) => isPath(argument.name)) ? 'file=1' : ':';
  const choices = positional.flatMap((argument) => argument.choices);
  const does =
    choices.length === 0
      ? file
      : `case $action in ${choices.join('|')}) ${file} ;; *) words=${quote(choices.join(' '))} ;; esac`;
  return [
    `    ${name})`,
    '      case $prev in',
    ...cases,
    `        *) if [[ $cur == -* ]]; then words=${quote(options.flatMap(names).join(' '))}; else ${does}; fi ;;`,
    '      esac ;;',
  ].join('\n');
}
