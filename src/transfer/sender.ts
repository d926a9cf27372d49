import { type Bandwidth, unlimited } from './bandwidth.ts'
import { openBuffers } from './buffers.ts'
import { openPace } from './pace.ts'

/** What all transfers of one command share: memory, the number of requests side by side, and the rate at which bytes leave. */
export interface Sender {
  /** Requests side by side, at most. */
  readonly concurrency: number
  /** Bytes; what is longer was found not to get through. Learned by one file, and of use to the next. */
  mostPart: number
  /** Lends a buffer of at least `length` bytes for as long as `act` runs. */
  lend<T>(length: number, signal: AbortSignal | undefined, act: (buffer: Uint8Array) => Promise<T>): Promise<T>
  /** One request that sends `length` bytes, in its turn; a failed one is the caller's to repeat. */
  send<T>(length: number, signal: AbortSignal | undefined, request: () => Promise<T>): Promise<T>
  /** Gives its memory back; it can be used again. */
  rest(): void
}

/** Requests side by side at the beginning: on two cores more gained nothing (measured against versitygw on loopback). */
const usualStart = 4

export const openSender = (options: {
  /** Bytes that all buffers together may take. */
  readonly memoryBytes: number
  readonly concurrency: number
  readonly bandwidth?: Bandwidth
}): Sender => {
  const { memoryBytes, concurrency, bandwidth = unlimited } = options
  const buffers = openBuffers(memoryBytes)
  const pace = openPace({ start: Math.min(usualStart, concurrency), most: concurrency })
  return {
    concurrency,
    mostPart: Number.POSITIVE_INFINITY,
    rest: () => buffers.release(),
    async lend(length, signal, act) {
      const buffer = await buffers.take(length, signal)
      try {
        return await act(buffer)
      } finally {
        buffers.free(buffer)
      }
    },
    async send(length, signal, request) {
      await pace.enter(signal)
      let began = performance.now()
      try {
        await bandwidth.allow(length, signal)
        began = performance.now()
        const answer = await request()
        pace.well(length)
        return answer
      } catch (error) {
        pace.badly(error, performance.now() - began)
        throw error
      }
    },
  }
}
