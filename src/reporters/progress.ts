import type { Redact } from '../redact.ts'
import { bytes, count, duration } from '../words.ts'
import { jsonText, line } from './escape.ts'
import { barOf, plain, signsOf } from './signs.ts'
import type { Writer } from './sink.ts'

/** How far bytes have come, all files of a command together. */
export interface Moved {
  /** The file that moved last. */
  readonly path: string
  readonly files: { readonly done: number; readonly total: number }
  /** Bytes that are in the store, those that were there before included. */
  readonly done: number
  readonly total: number
  /** Bytes of `done` that were in the store already and were not sent again. */
  readonly reused: number
  readonly bytesPerSecond: number
}

/** What is under way: a spinner and a bar on a terminal, one line every few seconds elsewhere. */
export interface Progress {
  /** Undefined ends what was said last. */
  says(text: string | undefined, moved?: Moved): void
  stop(): void
}

export const progressKinds = ['auto', 'plain', 'json', 'none'] as const
export type ProgressKind = (typeof progressKinds)[number]

/** Milliseconds between two lines: enough to see life in a CI log, not enough to fill it; a program can read more. */
const pace = { plain: 5_000, json: 1_000 }
/** Cells of the bar at most, and fewest that are worth drawing. */
const cells = { most: 24, fewest: 8 }
/** Columns that a name and a bar are left before amounts give way. */
const roomForName = 40

const secondsLeft = ({ done, total, bytesPerSecond }: Moved): number | undefined =>
  bytesPerSecond > 0 ? Math.max(0, total - done) / bytesPerSecond : undefined

/** Amounts in words; those that come last are the first to go where there is no room. */
const figuresOf = (moved: Moved): string[] => {
  const { done, total, reused, bytesPerSecond, files } = moved
  const left = secondsLeft(moved)
  return [
    `${bytes(done)} of ${bytes(total)}`,
    `${bytes(bytesPerSecond)}/s`,
    ...(left === undefined ? [] : [`${duration(left * 1000)} left`]),
    ...(reused > 0 ? [`${bytes(reused)} reused`] : []),
    ...(files.total > 1 ? [`${files.done} of ${count(files.total, 'file')} done`] : []),
  ]
}

interface Measuring {
  readonly unicode: boolean
  readonly redact: Redact
  /** Columns that a text takes. */
  readonly widthOf: (text: string) => number
}

/** One line of at most so many columns: the name gives way first, then the bar. */
export const inColumns = (
  text: string,
  moved: Moved | undefined,
  columns: number,
  { unicode, redact, widthOf }: Measuring,
): string => {
  const mark = unicode ? '…' : '...'
  /** Cut at its end, or, for a path, whose end tells more, at its beginning. */
  const shortened = (words: string, most: number, end = true): string => {
    if (widthOf(words) <= most) return words
    if (most <= mark.length) return ''
    const letters = [...words]
    let kept = ''
    for (const letter of end ? letters : letters.reverse()) {
      const more = end ? kept + letter : letter + kept
      if (widthOf(more) > most - mark.length) break
      kept = more
    }
    return end ? `${kept}${mark}` : `${mark}${kept}`
  }
  const safe = (words: string) => redact(line(unicode ? words : plain(words)))
  if (moved === undefined) return shortened(safe(text), columns)
  const share = moved.total > 0 ? Math.floor((moved.done / moved.total) * 100) : 100
  const figures = figuresOf(moved)
  const tailOf = () => `${share}% ${safe(figures.join(', '))}`
  while (figures.length > 1 && columns - widthOf(tailOf()) < roomForName) figures.pop()
  const tail = tailOf()
  const size = Math.min(cells.most, Math.floor((columns - widthOf(tail) - 2) / 2))
  const { taken, free } = barOf(moved.done, moved.total, Math.max(0, size), signsOf(unicode))
  const bar = size >= cells.fewest ? `${taken}${free} ` : ''
  const name = shortened(safe(moved.path), Math.max(0, columns - widthOf(bar) - widthOf(tail) - 1), false)
  return shortened(`${name}${name === '' ? '' : ' '}${bar}${tail}`, columns)
}

interface Showing {
  readonly kind: ProgressKind
  readonly unicode: boolean
  readonly color: boolean
}

const none: Progress = { says: () => {}, stop: () => {} }

/**
 * JSON lines are redacted as data and need a `writer` that lets them through: a redactor of text could take a digit out of a
 * number.
 */
export const progress = async (
  writer: Writer,
  redact: Redact,
  { kind, unicode, color }: Showing,
): Promise<Progress> => {
  if (kind === 'none') return none
  // A terminal of no width (script, expect, some CI runners) holds endless lines, and ora would go up all of them.
  if (kind === 'auto' && writer.isTTY && process.stderr.columns > 0) {
    const [{ default: ora }, { default: widthOf }] = await Promise.all([import('ora'), import('string-width')])
    const spinner = ora({
      stream: process.stderr,
      discardStdin: false,
      spinner: unicode ? 'dots' : 'line',
      ...(color ? {} : { color: false as never }),
    })
    let latest: (() => void) | undefined
    // The terminal breaks a line that has become too long by itself, so it is cut anew at once.
    const redraw = () => latest?.()
    process.stderr.on('resize', redraw)
    return {
      says(text, moved) {
        if (text === undefined) return
        latest = () => {
          spinner.text = inColumns(text, moved, process.stderr.columns - 3, { unicode, redact, widthOf })
        }
        latest()
        if (!spinner.isSpinning) spinner.start()
      },
      stop() {
        process.stderr.off('resize', redraw)
        spinner.stop()
      },
    }
  }
  const asJson = kind === 'json'
  let last = asJson ? Number.NEGATIVE_INFINITY : performance.now()
  /** The newest that was held back; the last one always comes out, so that a program sees the end. */
  let held: (() => void) | undefined
  const write = (text: string, moved: Moved | undefined) => {
    held = undefined
    last = performance.now()
    if (!asJson)
      return writer.write(`${line(moved === undefined ? text : `${text}: ${figuresOf(moved).join(', ')}`)}\n`)
    const left = moved && secondsLeft(moved)
    const event = {
      at: new Date().toISOString(),
      says: redact(text),
      ...(moved && { ...moved, path: redact(moved.path) }),
      ...(left !== undefined && { secondsLeft: left }),
    }
    return writer.write(`${jsonText(JSON.stringify(event))}\n`)
  }
  return {
    says(text, moved) {
      if (text === undefined) return
      // The last amounts before something else begins are the whole of it.
      if (moved === undefined) held?.()
      held = asJson && moved !== undefined ? () => write(text, moved) : undefined
      if (performance.now() - last >= pace[asJson ? 'json' : 'plain']) write(text, moved)
    },
    stop: () => held?.(),
  }
}
