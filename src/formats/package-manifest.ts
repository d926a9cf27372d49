import { complete, type Format, type Reference, type Verdict } from './format.ts'
import { json } from './json.ts'

/** Those of CoreML's packages have some hundred bytes; larger ones are other manifests. */
const mostParsed = 64 * 1024

/** `itemInfoEntries` names what lies in `Data/` beside the manifest: files, and folders such as that of the weights. */
const itemsIn = (text: string): readonly string[] => {
  const parsed: unknown = JSON.parse(text)
  const items = typeof parsed === 'object' && parsed !== null && 'itemInfoEntries' in parsed && parsed.itemInfoEntries
  const paths = typeof items === 'object' && items !== null ? Object.values(items).map((item) => item?.path) : []
  return paths.filter((path) => typeof path === 'string' && path !== '')
}

/** The manifest of a CoreML package; any other file of this common name is judged as JSON. */
export const packageManifest: Format = {
  ...json,
  id: 'package-manifest',
  title: 'a manifest in JSON',
  names: ['manifest.json'],
  async judge(file, name): Promise<Verdict> {
    const verdict = await json.judge(file, name)
    if (verdict.judgement !== 'complete' || file.size > mostParsed) return verdict
    const refers = itemsIn(Buffer.from(file.head).toString()).map((path): Reference => ({ path: `Data/${path}` }))
    return refers.length === 0 ? verdict : complete(`it names ${refers.length} items of its package`, refers)
  },
}
