import type { ForecastRow, Report } from '../../src/report.ts'
import { doctor, reportOf } from '../doctor.ts'
import { mlflowPython } from '../lab/venv.ts'
import { disk, type RunningSite, type Shared, Stack, startFronts } from './deploy.ts'
import { type Happened, judgeCapacity, judgeForecast, type Problem, reachOf } from './judge.ts'
import type { Cell } from './types.ts'
import type { Uploader } from './uploader.ts'

/** One line of the table. */
export interface Row {
  readonly cell: string
  readonly size: number
  readonly full: Told
  readonly fifth: Told
  readonly capacity?: number
  /** What was tried besides the planned size. */
  readonly tried: readonly { readonly bytes: number; readonly arrived: boolean }[]
  readonly happened: Happened
  readonly problems: readonly Problem[]
  /** Seconds of the whole cell. */
  readonly took: number
}

interface Told extends Partial<Pick<ForecastRow, 'verdict' | 'because' | 'hop' | 'limit' | 'seconds'>> {
  /** Why there is no forecast. */
  readonly trouble?: string
  readonly ms: number
}

/** The most that a single upload may take, in seconds. */
const patience = 100
/** Leaves paced requests ten seconds each, where they would take minutes: the time-outs here are of two. */
const deepTimeout = '60s'
/** What gets through is tried at this share of the largest that is named. */
const share = 0.9
/** Where more gets through than can be tried, as much more than the planned size. */
const beyond = 1.5
/** Bytes; a limit above it is not tried from above. */
const most = 200_000_000

const told = (report: Report): Told => {
  const [row] = report.forecast ?? []
  const trouble = report.trouble && `${report.trouble.what}: ${report.trouble.why}`
  return { ...row, ms: report.durationMs, ...(trouble !== undefined && { trouble }) }
}

/** Forecasts first, each by the command line and written down before a byte is uploaded; then the real client; then the two are compared. */
export const runCell = async (cell: Cell, site: RunningSite, shared: Shared, uploader: Uploader): Promise<Row> => {
  const began = Date.now()
  const stack = new Stack()
  try {
    const proxied = await startFronts(cell.fronts ?? [], site.url, stack)
    const { url } = await shared.over(cell.uplink, proxied, stack)
    const home = await disk(stack, undefined)
    const temp = await disk(stack, cell.clientTemp)
    const experiment = await site.newExperiment()
    const as = cell.as ?? 'log_artifact'
    const env = { ...site.env, MLFLOW_TRACKING_URI: url, TMPDIR: temp, HOME: home, ...cell.env }

    const python = cell.client === undefined ? [] : ['--python', await mlflowPython(cell.client)]
    const check = async (...args: readonly string[]): Promise<Report> => {
      await site.quiet()
      const given = ['--as', as, '--experiment', experiment.name, ...python, ...args]
      const ran = await doctor(['check', '--json', ...given], {
        env: { ...env, XDG_STATE_HOME: `${home}/state` },
        ...(cell.fileSizeLimit !== undefined && { below: ['prlimit', `--fsize=${cell.fileSizeLimit}`] }),
      })
      try {
        return reportOf(ran)
      } catch {
        throw new Error(`the check ended with ${ran.code} and no report: ${ran.stderr}`)
      }
    }
    const size = String(cell.size)
    const deep = cell.deep ? ['--deep', '--timeout', deepTimeout] : []
    const full = await check('--size', size, ...deep)
    const fifth = await check('--size', size, '--traffic', String(Math.floor(cell.size / 5)), ...deep)
    const open = await check(...(cell.traffic === undefined ? [] : ['--traffic', String(cell.traffic)]))
    const left = await site.canaries(experiment.id)

    const upload = async (bytes: number): Promise<Happened> => {
      const name = 'data.bin'
      await site.quiet()
      const result = await uploader.upload({
        env,
        experiment: experiment.id,
        as,
        files: { [name]: bytes },
        seconds: patience,
        ...(cell.fileSizeLimit !== undefined && { fileSizeLimit: cell.fileSizeLimit }),
      })
      const uri = result.files[name]
      const stored = uri === undefined ? undefined : await site.stored(uri)
      await site.clear(experiment.id)
      return { ...result, arrived: result.ok && stored === bytes }
    }
    const happened = await upload(cell.size)
    const problems: Problem[] = []
    if (happened.arrived !== (cell.upload === 'passes')) {
      problems.push({ id: 'cell', says: `the cell is said to be one that ${cell.upload}: ${happened.error ?? ''}` })
    }
    if (left.length > 0) problems.push({ id: 'left behind', says: left.join(', ') })
    problems.push(
      ...judgeForecast('full', full.forecast?.[0], cell, happened),
      ...judgeForecast('fifth', fifth.forecast?.[0], cell, happened),
      ...judgeCapacity(open.capacity, cell),
    )

    const tried: { bytes: number; arrived: boolean }[] = []
    const attempt = async (bytes: number, expected: boolean): Promise<void> => {
      const { arrived, error } = await upload(bytes)
      tried.push({ bytes, arrived })
      if (arrived === expected) return
      const what = expected ? `does not get through: ${error}` : 'gets through'
      problems.push({ id: expected ? 'capacity: below' : 'capacity: above', says: `${bytes} bytes: it ${what}` })
    }
    const reach = reachOf(open.capacity, cell)
    const unknown = cell.unknown?.capacity !== undefined
    if (reach.bytes !== undefined && !unknown) {
      const good = Math.min(Math.floor(reach.bytes * share), Math.floor(cell.size * beyond))
      await attempt(Math.max(reach.from, good, 1), true)
      if (reach.limit?.unit === 'bytes' && cell.limit?.bytes === reach.limit.max && reach.limit.max < most) {
        await attempt(reach.limit.max + 1, false)
      }
    }
    return {
      cell: cell.name,
      size: cell.size,
      full: told(full),
      fifth: told(fifth),
      ...(reach.bytes !== undefined && { capacity: reach.bytes }),
      tried,
      happened,
      problems,
      took: Math.round((Date.now() - began) / 1000),
    }
  } finally {
    await stack.end()
  }
}
