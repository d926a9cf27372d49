import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { parentPort } from 'node:worker_threads'
import { formats, judge } from '../../src/formats/index.ts'
import { type Filler, nameFor, samples, vast, watched } from './hostile.ts'

// Judges files of a pebibyte in a thread whose heap is limited, and tells what was alive at most while they were read.

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
const alive = (): number => {
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/** Opening brackets of JSON and UBJSON, and of MessagePack: nothing but depth. */
const fillers: readonly Filler[] = ['zeros', 'noise', 0x5b, 0x91]
const found = await samples(1, 20_000)
const most: Record<string, number> = {}
for (const format of formats) {
  const ways = [new Uint8Array(0), ...(found.get(format.id) ?? [])]
  for (const sample of ways) {
    for (const filler of fillers) {
      const before = alive()
      let peak = 0
      const source = watched(vast(sample, filler), () => {
        // Now and then: a full collection at each of 64 reads would take most of the time.
        if (source.reads.length % 16 === 3) peak = Math.max(peak, alive() - before)
      })
      await judge(source, nameFor(format), { among: [format] })
      most[format.id] = Math.max(most[format.id] ?? 0, peak)
    }
  }
}
parentPort?.postMessage(most)
