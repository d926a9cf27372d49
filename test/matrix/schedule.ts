import { type Row, runCell } from './cell.ts'
import { Shared, Stack, startSite } from './deploy.ts'
import type { Cell } from './types.ts'
import { startUploader, type Uploader } from './uploader.ts'

/** Cells at a time: as many as there are cores on a small machine, and never two on the same servers. */
const lanes = 2

/** Seconds that a cell takes, roughly: those on slow lines take minutes together. */
const cost = (cell: Cell): number => (cell.traffic === undefined ? 10 : 40)

/** A machine that is busy with something else for a few seconds is no wrong forecast: such a cell gets a second run. */
const onlyDurations = ({ problems }: Row): boolean =>
  problems.length > 0 && problems.every(({ id }) => id.endsWith(': duration'))

/**
 * Runs cells in two lanes. A lane takes all cells of one site, which runs for as long; the costliest sites go first.
 * `done` hears of each as it ends; `rowOf` gives what came of a cell, or throws what kept it from running.
 */
export const schedule = (
  cells: readonly Cell[],
  done: (row: Row) => void,
): { rowOf(cell: Cell): Promise<Row>; end(): Promise<void> } => {
  const shared = new Shared()
  const uploaders = new Map<string, Promise<Uploader>>()
  const waiting = new Map(cells.map((cell) => [cell.name, Promise.withResolvers<Row>()]))
  for (const { promise } of waiting.values()) promise.catch(() => {})

  const uploaderOf = ({ client = '3.17.2' }: Cell): Promise<Uploader> => {
    const uploader = uploaders.get(client) ?? startUploader(client)
    uploaders.set(client, uploader)
    return uploader
  }
  const runGroup = async (group: readonly Cell[]): Promise<void> => {
    const [first] = group
    if (first === undefined) return
    const stack = new Stack()
    try {
      const site = startSite(first.site, shared, stack)
      for (const cell of group) {
        const once = async (): Promise<Row> => runCell(cell, await site, shared, await uploaderOf(cell))
        const run = async (): Promise<Row> => {
          const row = await once()
          return onlyDurations(row) ? once() : row
        }
        const { resolve, reject } = waiting.get(cell.name) ?? {}
        await run().then((row) => {
          done(row)
          resolve?.(row)
        }, reject)
      }
    } finally {
      await stack.end()
    }
  }
  const bySite = Map.groupBy(cells, ({ site }) => JSON.stringify(site))
  const total = (group: readonly Cell[]): number => group.reduce((sum, cell) => sum + cost(cell), 0)
  const groups = [...bySite.values()].toSorted((a, b) => total(b) - total(a))
  const lane = async (): Promise<void> => {
    for (let group = groups.shift(); group !== undefined; group = groups.shift()) await runGroup(group)
  }
  const all = Promise.all(Array.from({ length: lanes }, lane))
  return {
    rowOf: async (cell) => {
      const row = waiting.get(cell.name)?.promise
      if (row === undefined) throw new Error(`${cell.name} was not asked for`)
      return await row
    },
    end: async () => {
      await all
      for (const uploader of uploaders.values()) await (await uploader).stop()
      await shared.end()
    },
  }
}
