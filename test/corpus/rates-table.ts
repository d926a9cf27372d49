import { noFormat, type Swept } from './sweep.ts'

/** Figures of all files of one format. */
export interface Rate {
  readonly format: string
  readonly files: number
  /** Of these, how many no cheap rule can tell; they are not cut. */
  readonly unknown: number
  readonly cuts: number
  readonly broken: number
  readonly suspect: number
  /** Not noticed, and nothing lost. */
  readonly harmless: number
  readonly missed: number
  readonly medianReads: number
  readonly medianBytes: number
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

export const ratesOf = (swept: readonly Swept[]): Rate[] =>
  [...Map.groupBy(swept, ({ format }) => format)]
    .map(([format, files]) => {
      const broken = sum(files.map((file) => file.broken))
      const suspect = sum(files.map((file) => file.suspect))
      const missed = sum(files.map((file) => file.missed.length))
      return {
        format,
        files: files.length,
        unknown: files.filter(({ intact }) => intact.judgement === 'unknown').length,
        cuts: broken + suspect + missed,
        broken,
        suspect,
        harmless: sum(files.map((file) => file.harmless)),
        missed,
        medianReads: median(files.map(({ reads }) => reads)),
        medianBytes: median(files.map(({ bytes }) => bytes)),
      }
    })
    .sort((a, b) => Number(a.format === noFormat) - Number(b.format === noFormat) || a.format.localeCompare(b.format))

const row = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`
const share = (part: number, whole: number): string => (whole === 0 ? '-' : `${((100 * part) / whole).toFixed(1)} %`)

export const cutsTable = (rates: readonly Rate[]): string =>
  [
    row([
      'format',
      'files',
      'no rule',
      'cuts',
      'broken',
      'suspect',
      'missed',
      'noticed',
      'harmless',
      'median reads',
      'median bytes',
    ]),
    row(Array<string>(11).fill('---')),
    ...rates.map((rate) =>
      row([
        rate.format,
        rate.files,
        rate.unknown,
        rate.cuts,
        rate.broken,
        rate.suspect,
        rate.missed,
        share(rate.broken + rate.suspect, rate.cuts),
        rate.harmless,
        rate.medianReads,
        rate.medianBytes,
      ]),
    ),
  ].join('\n')

/** Damage that keeps the size, which sizes alone cannot show: how many files were noticed, of how many. */
export const damageTable = (swept: readonly Swept[], kinds: readonly string[]): string => {
  const judged = swept.filter(({ damaged }) => Object.keys(damaged).length > 0)
  const groups = [...Map.groupBy(judged, ({ format }) => format)].sort(([a], [b]) => a.localeCompare(b))
  const cell = (files: readonly Swept[], kind: string): string => {
    const tried = files.filter(({ damaged }) => kind in damaged)
    return tried.length === 0 ? '-' : `${tried.filter(({ damaged }) => damaged[kind]).length} of ${tried.length}`
  }
  return [
    row(['format', ...kinds]),
    row(Array<string>(kinds.length + 1).fill('---')),
    ...groups.map(([format, files]) => row([format, ...kinds.map((kind) => cell(files, kind))])),
  ].join('\n')
}
