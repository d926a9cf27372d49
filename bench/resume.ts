import { setTimeout as wait } from 'node:timers/promises'
import { bytes } from '../src/words.ts'
import { freshDir, removeDir } from '../test/lab/scratch.ts'
import { sparse, startSink, startUpload } from './sunk.ts'

/** `npm run bench:resume`: an upload of 10 GiB (SIZE, GiB) is killed with -9 once 90 % have arrived; what the next run sends. */

const size = Number(process.env.SIZE ?? 10) * 1024 ** 3

const home = await freshDir('bench-resume')
const sink = await startSink()
try {
  const dir = await sparse(home, size)
  const first = startUpload(dir, sink.url, home)
  while (sink.bytes() < 0.9 * size) await wait(20)
  first.child.kill('SIGKILL')
  await first.ended
  await wait(1000)
  const cut = sink.bytes()
  await startUpload(dir, sink.url, home).ended
  await wait(1000)
  const sent = sink.bytes() - cut
  console.log(`| of ${bytes(size)} | |\n| --- | --- |`)
  console.log(`| arrived before kill -9 | ${((cut / size) * 100).toFixed(2)} % |`)
  console.log(`| sent afterwards | ${((sent / size) * 100).toFixed(2)} % |`)
  console.log(`| together | ${(((cut + sent) / size) * 100).toFixed(2)} % |`)
} finally {
  sink.stop()
  await removeDir(home)
}
