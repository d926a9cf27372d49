/** How long one file takes on one route, from what canaries took. A pure function of the measurement. */
import { growsFaster, msFor, smallest } from './probes/rates.ts'
import type { Transfer, TransferTry } from './probes/types.ts'

/** All times in milliseconds. */
export interface Estimate {
  /** Until the last byte is sent. */
  readonly bodyMs: number
  /** From there to the answer. */
  readonly answerMs: number
  /** True when a canary of this size, or a larger one, got through. */
  readonly tried: boolean
  /** Of the largest canary that got through, in bytes. */
  readonly largest: number
  /** True when only the sum of the two is known. */
  readonly blurred: boolean
  /** True when nothing but what is all fixed cost got through, so that the times say nothing of a file as large as this. */
  readonly rough?: true
}

const whole = ({ failed }: TransferTry): boolean => failed === undefined

/** Undefined when no canary got through. */
export const estimate = (transfer: Transfer, bytes: number): Estimate | undefined => {
  const good = transfer.tries.filter(whole)
  const largest = good.reduce<TransferTry | undefined>(
    (most, one) => (one.bytes > (most?.bytes ?? -1) ? one : most),
    undefined,
  )
  if (largest === undefined) return undefined
  const known = {
    tried: largest.bytes >= bytes,
    largest: largest.bytes,
    blurred: transfer.blurred === true,
    ...(largest.bytes < smallest && bytes > smallest && { rough: true as const }),
  }
  const exact = good.find((one) => one.bytes === bytes)
  if (exact) return { ...known, ...shifted(exact, transfer) }
  // Copying the body again for each piece costs the square of the size.
  if (bytes > largest.bytes && growsFaster(good)) {
    const times = (bytes / largest.bytes) ** 2
    return { ...known, bodyMs: largest.bodyMs * times, answerMs: (largest.answerMs ?? 0) * times }
  }
  const { uplink, relay } = transfer
  const scale = bytes / Math.max(1, largest.bytes)
  return {
    ...known,
    bodyMs: uplink ? msFor(uplink, bytes) : largest.bodyMs * scale,
    answerMs: relay ? msFor(relay, bytes) : (largest.answerMs ?? 0) * Math.max(1, scale),
  }
}

/** What buffers hid of the body is part of the body, as in the rates. */
const shifted = (
  { bytes, bodyMs, answerMs = 0 }: TransferTry,
  { uplink }: Transfer,
): Pick<Estimate, 'bodyMs' | 'answerMs'> => {
  const body = uplink ? Math.min(bodyMs + answerMs, Math.max(bodyMs, msFor(uplink, bytes))) : bodyMs
  return { bodyMs: body, answerMs: bodyMs + answerMs - body }
}
