import type { Counts, Recognised, TimeOut } from './product.ts'

/** How a request ended that something on the way did not wait for. */
export interface Ended {
  readonly status?: number
  /** Who answered, by its `server` header or its page. */
  readonly by?: string
}

/** A setting of a product, and why it is thought to be there. */
export interface Setting extends Recognised {
  readonly time: TimeOut
}

const settingsFor = (inFront: readonly Recognised[], counts: readonly Counts[]): readonly Setting[] =>
  inFront.flatMap((each) =>
    each.product.times
      .filter((time) => counts.some((one) => time.counts.includes(one)))
      .map((time) => ({ ...each, time })),
  )

/** The setting that an end comes from: the one that answers with this status, or one that answers with none. */
export const blamed = (
  inFront: readonly Recognised[],
  counts: readonly Counts[],
  { status }: Ended,
): Setting | undefined => {
  const all = settingsFor(inFront, counts)
  return (
    all.find(({ time }) => time.status !== undefined && time.status === status) ??
    all.find(({ time }) => time.status === undefined)
  )
}

/** Milliseconds: a connection that is closed sooner tells of no time-out. */
export const soonest = 1000

/** A closed connection that nothing had passed over for so long, and the product that closes such connections without a word. */
export const closedInSilence = (
  failed: { readonly how: string; readonly status?: number; readonly silentMs?: number },
  inFront: readonly Recognised[],
): Setting | undefined => {
  if (failed.how !== 'closed' || (failed.silentMs ?? 0) < soonest) return undefined
  const found = blamed(inFront, ['idle'], {})
  return found?.time.status === undefined ? found : undefined
}

/** gunicorn looks once a second whether a worker is busy for longer than its whole seconds: what it allows, in milliseconds. */
export const workerAllows = (ms: number): number => Math.max(1000, Math.floor((ms - 50) / 1000) * 1000)

/** What every limit of gunicorn's workers has in common. */
export const worker = {
  hop: 'server',
  setting: '--timeout of gunicorn',
  scope: 'request',
} as const

/** `neededMs` in milliseconds; an hour where nothing is planned. */
export const workerRemedy = (neededMs: number | undefined) => ({
  text: 'Start the server with this: its worker is ended when one request takes longer. uvicorn, the default from MLflow 3.3 on, has no such limit.',
  commands: [`mlflow server --gunicorn-opts "--timeout ${secondsFor(neededMs)}"`],
})

/** Seconds to set: an hour where nothing is planned, which is longer than most uploads take. */
export const secondsFor = (neededMs: number | undefined): number => Math.ceil((neededMs ?? 0) / 1000) || 3600
