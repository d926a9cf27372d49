import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { Report } from '../src/report.ts'
import { freshDir, removeDir } from '../test/lab/scratch.ts'
import { startThrottle } from '../test/lab/throttle.ts'
import { type Sink, sparse, startSink, startUpload, type Uploading } from './sunk.ts'

/**
 * `npm run bench:memory`: resident memory over time, while one sparse file of 50 GiB (LARGE, GiB), 100,000 small files
 * (FILES), and two minutes (SLOW, seconds) of a link of 1 KiB a second go through. Fails on no figure.
 */

const MiB = 1024 ** 2
const large = Number(process.env.LARGE ?? 50) * 1024 ** 3
const files = Number(process.env.FILES ?? 100_000)
const slow = Number(process.env.SLOW ?? 120)

/** Twelve rows of a table: memory as a share of the way. */
const watch = async (uploading: Uploading, sink: Sink, total: number): Promise<void> => {
  const seen: { at: number; rss: number }[] = []
  const begun = performance.now()
  const before = sink.bytes()
  let ended = false
  void uploading.ended.then(() => {
    ended = true
  })
  while (!ended) {
    const rss = await uploading.rss()
    if (rss !== undefined) seen.push({ at: (sink.bytes() - before) / total, rss })
    await wait(200)
  }
  const step = Math.max(1, Math.floor(seen.length / 12))
  console.log('| arrived | RSS MiB |\n| --- | --- |')
  for (const { at, rss } of seen.filter((_, n) => n % step === 0)) {
    console.log(`| ${(at * 100).toFixed(0)} % | ${Math.round(rss / MiB)} |`)
  }
  const peak = Math.max(...seen.map(({ rss }) => rss))
  console.log(`| peak, ${((performance.now() - begun) / 1000).toFixed(0)} s | ${Math.round(peak / MiB)} |`)
}

const home = await freshDir('bench-memory')
const sink = await startSink()
try {
  const one = await sparse(home, large)
  console.log(`\none sparse file of ${large / 1024 ** 3} GiB`)
  await watch(startUpload(one, sink.url, home), sink, large)

  const many = join(home, 'many')
  for (let n = 0; n < files; n += 1) {
    const dir = join(many, String(Math.floor(n / 1000)))
    if (n % 1000 === 0) await mkdir(dir, { recursive: true })
    await writeFile(join(dir, `f${n}`), `file ${n}`)
  }
  console.log(`\n${files} small files`)
  await watch(startUpload(many, sink.url, home), sink, files * 10)

  const few = join(home, 'few')
  await mkdir(few)
  await writeFile(join(few, 'data.bin'), Buffer.alloc(64 * MiB, 'x'))
  const throttle = await startThrottle({ upstream: sink.url, bytesPerSecond: 1024 })
  console.log(`\n${slow} s of 1 KiB a second, then SIGINT`)
  const crawling = startUpload(few, throttle.url, home)
  setTimeout(() => crawling.child.kill('SIGINT'), slow * 1000)
  await watch(crawling, sink, 64 * MiB)
  await throttle.stop()
  const { steps, exitCode } = JSON.parse(await readFile(join(home, 'report.json'), 'utf8')) as Report
  console.log(`exit code ${exitCode}; ${steps?.[0]?.because ?? 'no step was begun'}`)
  console.log('\nthe same command on a good line')
  const again = startUpload(few, sink.url, home)
  console.log(`exit code ${await again.ended}`)
} finally {
  sink.stop()
  await removeDir(home)
}
