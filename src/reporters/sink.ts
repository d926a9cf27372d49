import { writeSync } from 'node:fs'
import type { Redact } from '../redact.ts'

/** Where text may go. `fd` 1 or 2 is written synchronously, so that nothing is lost when the process ends. */
export interface Writer {
  readonly isTTY: boolean
  write(text: string): void
}

const writeAll = (fd: number, text: string): void => {
  const bytes = Buffer.from(text)
  let offset = 0
  while (offset < bytes.length) {
    try {
      offset += writeSync(fd, bytes, offset)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      // A slow pipe answers EAGAIN until it is drained; a closed one (`| head`) wants no more.
      if (code === 'EPIPE') return
      if (code !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
    }
  }
}

/** A stream of this process behind the redactor. */
export const standard = (stream: { fd: number; isTTY?: boolean }, redact: Redact): Writer => ({
  isTTY: stream.isTTY === true,
  write: (text) => writeAll(stream.fd, redact(text)),
})
