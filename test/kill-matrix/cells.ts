/** When a command is killed, on which store, and what else goes wrong meanwhile: each cell is one kill at least. */

/** Remote stores and the proxied route are killed by what a proxy before the store sees, folders by what lies in them. GCS is gcp-storage-emulator behind a wrapper. */
export const stores = ['SeaweedFS', 'versitygw', 'proxied', 'folder', 'Azurite', 'GCS'] as const
export type StoreName = (typeof stores)[number]

/**
 * `before …`: the request has come, the store has not seen it. `after …`: the store has answered, and the answer is lost
 * with the process. `journal …`: the answer is handed over, and the process dies while it writes it down.
 */
export const moments = [
  'before create',
  'after create',
  'before part 1',
  'after part 1',
  'before part 3',
  'after part 3',
  'journal part 1',
  'journal part 2',
  'journal part 4',
  'after part 5',
  'before complete',
  'after complete',
  'at verification',
  'before small file',
  'after small file',
  'before manifest',
  'after manifest',
  'random',
] as const
export type Moment = (typeof moments)[number]

/** What happens to the killed run; the next one has a good line. The last four come from toxiproxy. */
export const faults = ['none', 'broken', 'busy', 'flip', 'reset', 'stall', 'slow', 'cut reply', 'lost answer'] as const
export type Fault = (typeof faults)[number]

export interface Cell {
  readonly store: StoreName
  readonly moment: Moment
  readonly fault: Fault
  /** Kills before the run that is left alone. */
  readonly kills: number
}

/** With these, the answer to the beginning of an upload may be lost: its id is then known to nobody. */
export const losesAnswers = ({ fault }: Cell): boolean => ['reset', 'stall', 'cut reply', 'lost answer'].includes(fault)

export const nameOf = ({ store, moment, fault, kills }: Cell): string =>
  `${store}, ${moment}, ${fault}${kills > 1 ? `, ${kills} times` : ''}`

/** What can be seen of a folder from outside, in the folder and in the state folder. */
const folderMoments: ReadonlySet<Moment> = new Set<Moment>([
  'after create',
  ...(['journal part 1', 'journal part 2', 'journal part 4'] as const),
  ...(['after complete', 'after small file', 'after manifest', 'random'] as const),
])

/** Only those that can be met: a fault that ends the upload early leaves nothing of what comes after it. */
const possible = ({ store, moment, fault }: Cell): boolean => {
  if (store === 'folder') return fault === 'none' && folderMoments.has(moment)
  // Toxics act on the connections of the client to the store alone; the signed route has a server in between as well.
  if (store === 'proxied') {
    // There a small file goes in a part as well.
    return ['none', 'broken', 'busy', 'flip'].includes(fault) && !moment.endsWith('small file')
  }
  // Blocks on Azure belong to no upload that is begun first.
  if (store === 'Azurite') return !moment.endsWith(' create')
  // The wrapper and the emulator take one request after the other; chunks do so by themselves.
  return true
}

const isCloud = ({ store }: Cell): boolean => store === 'Azurite' || store === 'GCS'

/** Twelve on each, and one more at random. */
const usualOnClouds: ReadonlySet<Moment> = new Set<Moment>([
  ...(['before part 1', 'after part 1', 'before part 3', 'after part 3', 'journal part 2', 'journal part 4'] as const),
  ...(['before complete', 'after complete', 'at verification', 'before small file', 'after small file'] as const),
  ...(['after manifest', 'random'] as const),
])

const usual = (cell: Cell): boolean =>
  cell.fault === 'none'
    ? !isCloud(cell) || usualOnClouds.has(cell.moment)
    : cell.store === 'SeaweedFS' && ['after part 3', 'after complete'].includes(cell.moment)

/** Everything; `npm test` runs those that `usual` picks. */
export const cells = (which: 'usual' | 'all'): readonly Cell[] => {
  const all = stores.flatMap((store) =>
    moments.flatMap((moment) => faults.map((fault): Cell => ({ store, moment, fault, kills: 1 }))),
  )
  const random = (store: StoreName, n: number, kills: number): Cell[] =>
    Array.from({ length: n }, () => ({ store, moment: 'random', fault: 'none', kills }))
  const few = which === 'usual'
  const more = stores.flatMap((store) => random(store, few ? (store === 'folder' ? 8 : 0) : 6, few ? 1 : 3))
  return [...all.filter(possible).filter((cell) => !few || usual(cell)), ...more]
}
