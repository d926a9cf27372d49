import type { Capacity, ForecastRow } from '../../src/report.ts'
import type { Cell, TrueLimit } from './types.ts'
import type { Uploaded } from './uploader.ts'

/** A disagreement between forecast and upload. `id` is what `known.json` names; `says` carries the figures. */
export interface Problem {
  readonly id: string
  readonly says: string
}

/** The client says so and the store holds every byte. */
export interface Happened extends Uploaded {
  readonly arrived: boolean
}

/** Durations below it, in seconds, are all fixed cost and noise. */
const shortest = 2
const durationWithin = 0.25
const timeWithin = 0.1

const wrongLimit = (row: Pick<ForecastRow, 'hop' | 'limit'>, truth: TrueLimit, timed: boolean): string | undefined => {
  const named = `${row.hop ?? 'no hop'}, ${row.limit ? `${row.limit.setting} of ${row.limit.max} ${row.limit.unit}` : 'no setting'}`
  if (row.hop !== truth.hop) return `it is the ${truth.hop}, not ${named}`
  // Accidents of a line have no setting.
  if (!truth.setting.test(row.limit?.setting ?? '')) return `it is ${truth.setting}, not ${named}`
  if (truth.bytes !== undefined && row.limit?.max !== truth.bytes) return `it is ${truth.bytes} bytes, not ${named}`
  if (timed && truth.ms !== undefined) {
    const max = row.limit?.unit === 'ms' ? row.limit.max : Number.NaN
    if (!(Math.abs(max - truth.ms) <= Math.max(truth.ms * timeWithin, truth.coarse ?? 0)))
      return `it is ${truth.ms} ms, not ${named}`
  }
  return undefined
}

export const judgeForecast = (
  label: 'full' | 'fifth',
  row: ForecastRow | undefined,
  cell: Cell,
  happened: Happened,
): Problem[] => {
  if (row === undefined) return [{ id: `${label}: none`, says: 'there is no forecast' }]
  const told = `${row.verdict}: ${row.because}`
  const why = cell.unknown?.[label]
  if (row.verdict === 'unknown') return why === undefined ? [{ id: `${label}: unknown`, says: told }] : []
  if (why !== undefined) return [{ id: `${label}: known after all`, says: told }]
  if ((row.verdict === 'passes') !== happened.arrived) return [{ id: `${label}: verdict`, says: told }]
  if (!happened.arrived) {
    const wrong = cell.limit && wrongLimit(row, cell.limit, cell.deep === true)
    return wrong === undefined ? [] : [{ id: `${label}: limit`, says: wrong }]
  }
  // log_model does more than upload, and its own seconds have nothing to do with the way.
  if (happened.seconds > shortest && cell.as !== 'log_model') {
    const seconds = row.seconds ?? Number.NaN
    if (!(Math.abs(seconds - happened.seconds) <= happened.seconds * durationWithin)) {
      return [{ id: `${label}: duration`, says: `${seconds} s were forecast, and it took ${happened.seconds} s` }]
    }
  }
  return []
}

/** What the check without a size says of files that take the planned one's way; `size` is a size to try, in bytes. */
export const reachOf = (
  capacity: Capacity | undefined,
  cell: Cell,
): { bytes?: number; from: number } & Pick<ForecastRow, 'hop' | 'limit'> =>
  capacity?.files.findLast(({ from }) => from <= cell.size) ?? { from: 0 }

export const judgeCapacity = (capacity: Capacity | undefined, cell: Cell): Problem[] => {
  if (capacity === undefined) return [{ id: 'capacity: none', says: 'nothing is told' }]
  const reach = reachOf(capacity, cell)
  const { bytes } = reach
  if (cell.unknown?.capacity !== undefined) return []
  if (cell.never)
    return bytes === undefined ? [] : [{ id: 'capacity: verdict', says: `${bytes} bytes are to get through` }]
  if (bytes === undefined) return [{ id: 'capacity: none', says: 'no size is to get through' }]
  if (cell.upload === 'fails' && bytes >= cell.size) {
    return [{ id: 'capacity: too large', says: `${bytes} bytes are to get through, and ${cell.size} did not` }]
  }
  if (cell.upload === 'passes' && bytes < cell.size) {
    return [{ id: 'capacity: too small', says: `only ${bytes} bytes are to get through, and ${cell.size} did` }]
  }
  if (cell.limit?.bytes !== undefined) {
    const wrong = wrongLimit(reach, cell.limit, false)
    if (wrong !== undefined) return [{ id: 'capacity: limit', says: wrong }]
  }
  return []
}
