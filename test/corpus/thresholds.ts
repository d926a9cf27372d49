import type { Rate } from './rates-table.ts'

/**
 * The share of cuts that must be noticed (broken or suspect), and of those that must be called broken, by format. The aims
 * are the rates measured with a prototype of the rules; where nothing is said, every cut must be broken.
 */
interface Threshold {
  readonly noticed: number
  readonly broken: number
}
const all: Threshold = { noticed: 1, broken: 1 }
const thresholds: Readonly<Record<string, Threshold>> = {}

export const belowThreshold = (rates: readonly Rate[]): string[] =>
  rates.flatMap(({ format, cuts, broken, suspect }) => {
    if (cuts === 0) return []
    const least = thresholds[format] ?? all
    const short = (part: number, whole: number): boolean => part / cuts < whole
    const weak = short(broken + suspect, least.noticed) || short(broken, least.broken)
    return weak
      ? [
          `${format}: of ${cuts} cuts ${broken} are broken and ${suspect} suspect, below ${least.broken} and ${least.noticed}`,
        ]
      : []
  })
