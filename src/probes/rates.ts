import type { Rate, TransferTry } from './types.ts'

/** Smaller canaries are all fixed cost; in bytes. */
export const smallest = 64 * 1024

interface Point {
  readonly bytes: number
  readonly ms: number
}

/**
 * The straight line through what canaries of growing size took. The largest weigh most: buffers on the way swallow the
 * first megabytes of a body at once, and only what lies beyond them shows how fast the line is. `fixedMs` is negative
 * where buffers hide the beginning. Undefined for fewer than two sizes.
 */
export const rateOf = (points: readonly Point[]): Rate | undefined => {
  const used = points.filter(({ bytes }) => bytes >= smallest)
  const sizes = new Set(used.map(({ bytes }) => bytes))
  if (sizes.size < 2) return undefined
  // Weighted least squares, each weighed by the square of its size.
  let [w, x, y, xx, xy] = [0, 0, 0, 0, 0]
  for (const { bytes, ms } of used) {
    const weight = (bytes / 2 ** 20) ** 2
    w += weight
    x += weight * bytes
    y += weight * ms
    xx += weight * bytes * bytes
    xy += weight * bytes * ms
  }
  const slope = (w * xy - x * y) / (w * xx - x * x)
  const largest = used.reduce((most, point) => (point.bytes > most.bytes ? point : most))
  // Noise around a cost that does not depend on the size: so fast that no file of any size notices.
  if (!(slope > 1000 / boundless)) return { fixedMs: largest.ms, bytesPerSecond: boundless }
  return { fixedMs: largest.ms - slope * largest.bytes, bytesPerSecond: 1000 / slope }
}

/** Bytes a second; a rate above it is none that was measured. */
export const boundless = 1e12

/**
 * The two hops from the same canaries. What the buffers of this machine and of the network take at once is not sent yet:
 * it makes the body look short and the wait for the answer long, by the same time, however large the file is; a line
 * through the bodies then begins below zero, and by so much the answer waits for the network and not for the server.
 */
export const hopsOf = (tries: readonly TransferTry[]): { uplink?: Rate; relay?: Rate } => {
  const body = rateOf(tries.map(({ bytes, bodyMs }) => ({ bytes, ms: bodyMs })))
  const answer = rateOf(tries.map(({ bytes, answerMs = 0 }) => ({ bytes, ms: answerMs })))
  if (body === undefined || answer === undefined) return {}
  const hidden = Math.max(0, -body.fixedMs)
  return {
    uplink: { ...body, fixedMs: Math.max(0, body.fixedMs) },
    relay: { ...answer, fixedMs: answer.fixedMs - hidden },
  }
}

/** Bytes that the buffers of two hosts take at once at most: 4 MiB to send and 6 MiB to receive, Linux' defaults (tcp_wmem and tcp_rmem in tcp(7)), and some of a proxy's. */
const buffers = 12 * 2 ** 20

/** True when the canaries were so small that buffers took them whole, and what took long may have been either hop. */
export const isBlurred = (tries: readonly TransferTry[]): boolean => {
  const largest = tries.reduce<TransferTry | undefined>(
    (most, one) => (one.bytes > (most?.bytes ?? 0) ? one : most),
    undefined,
  )
  if (largest === undefined || largest.bytes >= buffers) return false
  const answerMs = largest.answerMs ?? 0
  return answerMs > 200 && largest.bodyMs < answerMs / 4
}

export const msFor = (rate: Rate, bytes: number): number =>
  Math.max(0, rate.fixedMs + (bytes / rate.bytesPerSecond) * 1000)

/** Where the time grows with a power of the size clearly above one, from one canary to the next. */
const steep = 1.45
/** Milliseconds; below it, noise decides. */
const slow = 400

/** Whether the time grows faster than the size: over the last two steps of growing canaries, and long enough to be no noise. */
export const growsFaster = (tries: readonly TransferTry[]): boolean => {
  const points = tries
    .filter(({ failed, bytes }) => failed === undefined && bytes >= smallest)
    .map(({ bytes, bodyMs, answerMs = 0 }) => ({ bytes, ms: bodyMs + answerMs }))
    .toSorted((a, b) => a.bytes - b.bytes)
  const [first, second, third] = points.slice(-3)
  if (first === undefined || second === undefined || third === undefined || third.ms < slow) return false
  const power = (a: Point, b: Point): number => Math.log(b.ms / a.ms) / Math.log(b.bytes / a.bytes)
  return power(second, third) > steep && power(first, third) > 1.2
}
