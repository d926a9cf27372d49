import { complete, type Format, type Reference, unknown, type Verdict } from './format.ts'
import { json } from './json.ts'

/** Larger ones than any known are not parsed: an index of 100,000 tensors has 10 MB. */
const mostParsed = 16 * 1024 ** 2

const weightMap = (text: string): readonly string[] => {
  const parsed: unknown = JSON.parse(text)
  const map = typeof parsed === 'object' && parsed !== null && 'weight_map' in parsed ? parsed.weight_map : undefined
  const files = typeof map === 'object' && map !== null ? Object.values(map) : []
  return [...new Set(files.filter((file) => typeof file === 'string'))]
}

/**
 * `model.safetensors.index.json`, `pytorch_model.bin.index.json`: JSON that names the file of each tensor. What it says of the
 * total size is wrong where tensors are shared, and is not compared.
 */
export const shardIndex: Format = {
  ...json,
  id: 'shard-index',
  title: 'an index of shards',
  names: ['.index.json'],
  async judge(file, name): Promise<Verdict> {
    const verdict = await json.judge(file, name)
    const whole = verdict.judgement === 'complete' || verdict.judgement === 'ended'
    if (whole && file.size > mostParsed) {
      return unknown(`it has ${file.size} bytes, and one of more than ${mostParsed} is not followed`)
    }
    if (verdict.judgement !== 'complete') return verdict
    const bytes: Uint8Array[] = []
    const piece = 4 * 1024 ** 2
    for (let at = 0; at < file.size; at += piece) bytes.push(await file.exactly(at, Math.min(piece, file.size - at)))
    const text = new TextDecoder().decode(Buffer.concat(bytes))
    const refers = weightMap(text).map((path): Reference => ({ path }))
    return refers.length === 0 ? verdict : complete(`it names ${refers.length} files that hold its tensors`, refers)
  },
}
