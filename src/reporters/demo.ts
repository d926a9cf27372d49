import { Chalk } from 'chalk'
import { line } from './escape.ts'

const paint = new Chalk({ level: process.stdout.isTTY && !process.env.NO_COLOR ? 1 : 0 })

/** The words around the demonstration's commands, which print their reports themselves. */
export const demo = {
  title: (text: string) => console.log(`\n${paint.bold.underline(line(text))}`),
  item: (text: string) => console.log(`  ${line(text)}`),
  command: (args: readonly string[]) =>
    console.log(`\n${paint.dim('$')} ${paint.bold(line(`mlflow-doctor ${args.join(' ')}`))}`),
}
