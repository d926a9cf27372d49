import type { Redact } from '../redact.ts'
import { line } from './escape.ts'
import type { Writer } from './sink.ts'

/** What is under way: a spinner on a terminal, one line every few seconds elsewhere, nothing with `--quiet`. */
export interface Progress {
  says(text: string | undefined): void
  stop(): void
}

/** Milliseconds between two lines where there is no terminal: enough to see life in a CI log, not enough to fill it. */
const pace = 5_000

export const progress = async (writer: Writer, redact: Redact, quiet: boolean): Promise<Progress> => {
  if (quiet) return { says: () => {}, stop: () => {} }
  // A terminal of no width (script, expect, some CI runners) holds endless lines, and ora would go up all of them.
  if (writer.isTTY && process.stderr.columns > 0) {
    const { default: ora } = await import('ora')
    const spinner = ora({ stream: process.stderr, discardStdin: false })
    return {
      says(text) {
        if (text === undefined) return
        spinner.text = redact(line(text))
        if (!spinner.isSpinning) spinner.start()
      },
      stop: () => void spinner.stop(),
    }
  }
  let last = performance.now()
  return {
    says(text) {
      if (text === undefined || performance.now() - last < pace) return
      last = performance.now()
      writer.write(`${line(text)}\n`)
    },
    stop: () => {},
  }
}
