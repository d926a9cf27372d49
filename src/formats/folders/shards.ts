import { count } from '../../words.ts'
import type { Folder, FolderFinding, FolderRule } from '../folders.ts'

/** `model-00001-of-00003.safetensors`, `variables.data-00000-of-00002`: five digits each, as all writers put them. */
const shardName = /^(.*)-(\d{5})-of-(\d{5})((?:\.[\w-]+)*)$/
/** Missing ones that are named, each as a finding; the first of them tells how many there are. */
const mostNamed = 5

interface Group {
  readonly before: string
  readonly after: string
  readonly total: number
  readonly present: Set<number>
}

const groupsOf = (folder: Folder): ReadonlyMap<string, Group> => {
  const groups = new Map<string, Group>()
  for (const name of folder.files.keys()) {
    const [, before = '', index, total, after = ''] = shardName.exec(name) ?? []
    if (index === undefined || total === undefined) continue
    const key = `${before}\n${total}\n${after}`
    const group = groups.get(key) ?? { before, after, total: Number(total), present: new Set() }
    groups.set(key, group)
    group.present.add(Number(index))
  }
  return groups
}

const isWhole = ({ present, total }: Group): boolean => present.size >= total

/**
 * How sure it is that a part of such a group is of no use: weights are loaded together, whereas a worker may log its own share
 * of some data, and writers leave out parts without rows.
 */
const severityOf = (group: Group, folder: Folder): 'error' | 'warning' | undefined => {
  const { before, after, present, total } = group
  const inTensorFlow =
    /(?:^|\.)(?:variables|.*ckpt.*)\.data$/.test(before) || (before.endsWith('.data') && folder.files.has('checkpoint'))
  const isWeights =
    /\.(?:safetensors|gguf)$/.test(after) || (/model/.test(before) && /\.(?:bin|h5|msgpack|pt|pth)$/.test(after))
  if (inTensorFlow || isWeights) return folder.files.has(`${before}${after}`) ? 'warning' : 'error'
  return present.size >= 2 && present.size * 2 >= total ? 'warning' : undefined
}

/** The numbers that a group should have. Counts begin with 0 or 1; where both ends are missing, what lies between is common to both. */
const numbersOf = ({
  present,
  total,
  before,
  after,
}: Group): { readonly from: number; readonly to: number } | undefined => {
  const zero = present.has(0) || before.endsWith('.data')
  const one = present.has(total) || /\.(?:safetensors|gguf)$/.test(after)
  if (present.has(0) && present.has(total)) return undefined
  return { from: zero ? 0 : 1, to: zero || !one ? total - 1 : total }
}

const missingOf = (group: Group): { readonly numbers: readonly number[]; readonly more: number } | undefined => {
  const range = numbersOf(group)
  if (range === undefined) return undefined
  const numbers: number[] = []
  // Of a claimed total no more is looked through than there are files.
  for (let number = range.from; number <= range.to && numbers.length < mostNamed; number += 1) {
    if (!group.present.has(number)) numbers.push(number)
  }
  return { numbers, more: group.total - group.present.size - numbers.length }
}

const padded = (number: number): string => String(number).padStart(5, '0')

/** Shards that carry their number and their total in their names. */
export const shards: FolderRule = function* (path, folder): Generator<FolderFinding> {
  const groups = [...groupsOf(folder).values()]
  // Files of another number of shards are left over where a model was split anew.
  const wholes = new Set(groups.filter(isWhole).map(({ before, after }) => `${before}\n${after}`))
  for (const group of groups) {
    const { before, after, total, present } = group
    const severity = severityOf(group, folder)
    const missing = missingOf(group)
    if (isWhole(group) || wholes.has(`${before}\n${after}`) || severity === undefined || missing === undefined) continue
    const others = missing.more > 0 ? `, and ${missing.more} more are missing` : ''
    for (const number of missing.numbers) {
      yield {
        path: `${path}${before}-${padded(number)}-of-${padded(total)}${after}`,
        because: `${present.size} of ${count(total, 'shard')} are stored, and this one is not${others}`,
        severity,
        folder: path,
      }
    }
  }
}
