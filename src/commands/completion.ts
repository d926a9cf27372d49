import { completionScript, type Shell, shells } from '../completion.ts'
import { defineCommand } from './command.ts'

export default defineCommand<{ shell: Shell }>({
  name: 'completion',
  summary: 'Print a completion script for bash, zsh or fish',
  positionals: { shell: { choices: shells, demandOption: true, describe: 'The shell' } },
  options: {},
  examples: [['source <(mlflow-doctor completion bash)', 'In this shell, until it ends']],
  // Only now: the list of commands holds this one.
  print: async ({ shell }, checks) => completionScript(shell, (await import('./index.ts')).commands, checks),
})
