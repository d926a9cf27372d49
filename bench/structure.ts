import { open } from 'node:fs/promises'
import { basename } from 'node:path'
import { judge } from '../src/formats/index.ts'
import { bytes } from '../src/words.ts'
import { freshDir, removeDir } from '../test/lab/scratch.ts'
import { writeLargeFiles } from './large-files.ts'

// `npm run bench:structure`: the requests and bytes that it takes to tell whether a large file is whole. Fails on no figure.

const dir = await freshDir('bench-large')
try {
  console.log('| file | size | verdict | requests | bytes read |\n| --- | --- | --- | --- | --- |')
  for (const path of await writeLargeFiles(dir)) {
    const file = await open(path)
    const { size } = await file.stat()
    const read = async (at: number, length: number) => (await file.read(Buffer.alloc(length), 0, length, at)).buffer
    const { judgement, format, spent } = await judge({ size, read }, path)
    await file.close()
    const row = [basename(path), bytes(size), `${judgement} (${format?.id})`, spent.reads, bytes(spent.bytes)]
    console.log(`| ${row.join(' | ')} |`)
  }
} finally {
  await removeDir(dir)
}
