/** How far one file is, for whoever shows it. */
export interface Progress {
  readonly path: string
  /** Bytes sent and acknowledged in this run. */
  readonly sent: number
  /** Bytes that the store held already. */
  readonly reused: number
  /** Bytes of the file. */
  readonly total: number
  /** Milliseconds since it was begun. */
  readonly elapsedMs: number
  /** Sent lately; reused bytes do not flatter it. */
  readonly bytesPerSecond: number
}

const windowMs = 10_000

export interface Meter {
  reused(bytes: number): void
  sent(bytes: number): void
  /** Nothing of what was sent counts: the file is sent once more from its beginning. */
  again(): void
  now(): Progress
}

export const openMeter = (path: string, total: number, tell: ((progress: Progress) => void) | undefined): Meter => {
  let sent = 0
  let reused = 0
  const begun = performance.now()
  let lately: { readonly at: number; readonly sent: number }[] = [{ at: performance.now(), sent: 0 }]
  const now = (): Progress => {
    const at = performance.now()
    const first = lately[0] ?? { at, sent }
    const seconds = (at - first.at) / 1000
    const bytesPerSecond = seconds > 0 ? (sent - first.sent) / seconds : 0
    return { path, sent, reused, total, elapsedMs: at - begun, bytesPerSecond }
  }
  return {
    now,
    again() {
      sent = 0
      lately = [{ at: performance.now(), sent: 0 }]
    },
    reused(bytes) {
      reused += bytes
      tell?.(now())
    },
    sent(bytes) {
      sent += bytes
      const at = performance.now()
      // One sample older than the window stays, so that the rate spans all of it.
      const recent = lately.findIndex((sample) => at - sample.at <= windowMs)
      if (recent > 1) lately = lately.slice(recent - 1)
      tell?.(now())
      lately.push({ at, sent })
    },
  }
}
