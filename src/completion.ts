/** Shell completion, made from the same declarations as the command line; the script needs no further run of the tool. */
import { optionsOf } from './arguments.ts'
import { type Check, severities } from './check.ts'
import type { Command, Option } from './commands/command.ts'

export const shells = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof shells)[number]

interface Offered {
  readonly flag: string
  readonly says: string
  /** Words that may follow; `files` stands for a path, undefined for anything at all. */
  readonly values?: readonly string[] | 'files' | 'folders'
  readonly takesValue: boolean
}

const paths: Readonly<Record<string, 'files' | 'folders'>> = {
  output: 'files',
  config: 'files',
  bundle: 'files',
  files: 'files',
  state: 'files',
  load: 'files',
  python: 'files',
  model: 'folders',
  against: 'folders',
  from: 'folders',
}

const offered = (name: string, { type, choices, describe = '' }: Option, ids: readonly string[]): Offered => {
  const says = describe.replace(/[^\x20-\x7e]/g, '').replace(/[:'"`$\\[\]]/g, ' ')
  const values = choices
    ? choices.map(String)
    : name === 'only' || name === 'skip'
      ? ids
      : name === 'severity'
        ? ids.flatMap((id) => severities.map((level) => `${id}=${level}`))
        : paths[name]
  return { flag: `--${name}`, says, takesValue: type !== 'boolean', ...(values && { values }) }
}

interface Offer {
  readonly command: Command
  readonly options: readonly Offered[]
  /** What may stand without a flag. */
  readonly words: readonly string[] | 'files'
}

const offersOf = (commands: readonly Command[], checks: readonly Check[]): readonly Offer[] => {
  const ids = checks.map(({ id }) => id)
  return commands.map((command) => ({
    command,
    options: [
      ...Object.entries(optionsOf(command)).map(([name, option]) => offered(name, option, ids)),
      { flag: '--help', says: 'Show help', takesValue: false },
    ],
    words: command.name === 'explain' ? ids : command.name === 'completion' ? shells : 'files',
  }))
}

const bash = (offers: readonly Offer[]): string => {
  const reply = (values: Offered['values']): string => {
    if (values === undefined) return 'COMPREPLY=()'
    const words = values === 'files' ? '-f' : values === 'folders' ? '-d' : `-W "${values.join(' ')}"`
    return `COMPREPLY=($(compgen ${words} -- "$cur"))`
  }
  const cases = offers.map(({ command, options, words }) => {
    const valued = options.filter(({ takesValue }) => takesValue)
    const inner = valued.map(({ flag, values }) => `        ${flag}) ${reply(values)}; return ;;`)
    return `    ${command.name})
      case "$prev" in
${inner.join('\n')}
      esac
      if [[ $cur == -* ]]; then ${reply(options.map(({ flag }) => flag))}
      else ${reply(words)}; fi ;;`
  })
  return `# bash completion of mlflow-doctor: source it, or put it into ~/.local/share/bash-completion/completions/mlflow-doctor
_mlflow_doctor() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]}
  if [[ $COMP_CWORD -eq 1 ]]; then
    ${reply([...offers.map(({ command }) => command.name), '--help', '--version'])}
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
}
complete -o filenames -F _mlflow_doctor mlflow-doctor
`
}

const zsh = (offers: readonly Offer[]): string => {
  const actionOf = ({ takesValue, values }: Offered): string => {
    if (!takesValue) return ''
    if (values === 'files') return ':file:_files'
    if (values === 'folders') return ':folder:_files -/'
    return values === undefined ? ':value: ' : `:value:(${values.join(' ')})`
  }
  const cases = offers.map(
    ({ command, options, words }) => `    ${command.name})
      _arguments \\
${options.map((option) => `        '${option.takesValue ? '*' : ''}${option.flag}[${option.says}]${actionOf(option)}' \\`).join('\n')}
        '*:word:${words === 'files' ? '_files' : `(${words.join(' ')})`}' ;;`,
  )
  return `#compdef mlflow-doctor
# zsh completion of mlflow-doctor: put it into a folder of $fpath under the name _mlflow-doctor
_mlflow_doctor() {
  local -a commands
  commands=(
${offers.map(({ command }) => `    '${command.name}:${command.summary.replace(/[:'"`$\\]/g, ' ')}'`).join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join('\n')}
  esac
}
if [[ $funcstack[1] == _mlflow-doctor ]]; then _mlflow_doctor "$@"; else compdef _mlflow_doctor mlflow-doctor; fi
`
}

const fish = (offers: readonly Offer[]): string => {
  const lines = offers.flatMap(({ command, options, words }) => {
    const here = `-n '__fish_seen_subcommand_from ${command.name}'`
    return [
      `complete -c mlflow-doctor -f -n __fish_use_subcommand -a ${command.name} -d '${command.summary.replace(/[':"`$\\]/g, ' ')}'`,
      ...(words === 'files'
        ? [`complete -c mlflow-doctor ${here} -F`]
        : [`complete -c mlflow-doctor ${here} -f -a '${words.join(' ')}'`]),
      ...options.map(({ flag, says, takesValue, values }) => {
        const value = !takesValue
          ? ''
          : values === 'files'
            ? ' -r -F'
            : values === 'folders'
              ? " -x -a '(__fish_complete_directories)'"
              : values === undefined
                ? ' -x'
                : ` -x -a '${values.join(' ')}'`
        return `complete -c mlflow-doctor ${here} -l ${flag.slice(2)}${value} -d '${says}'`
      }),
    ]
  })
  return `# fish completion of mlflow-doctor: put it into ~/.config/fish/completions/mlflow-doctor.fish\n${lines.join('\n')}\n`
}

const scripts: Readonly<Record<Shell, (offers: readonly Offer[]) => string>> = { bash, zsh, fish }

export const completionScript = (shell: Shell, commands: readonly Command[], checks: readonly Check[]): string =>
  scripts[shell](offersOf(commands, checks))
