import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Verdict } from '../../src/formats/format.ts'
import { judge } from '../../src/formats/index.ts'
import { cutsOf } from './cuts.ts'
import { cutTo, damages, openFile } from './source.ts'
import { stillWhole } from './still-whole.ts'

/** What became of one file: how it was judged whole, and how it was judged after each cut and each damage. */
export interface Swept {
  readonly path: string
  readonly format: string
  readonly size: number
  readonly intact: Verdict
  readonly reads: number
  readonly bytes: number
  readonly broken: number
  readonly suspect: number
  /** Cuts that were neither, and lost nothing that the format's reader reads. */
  readonly harmless: number
  /** Sizes after cuts that were neither. */
  readonly missed: readonly number[]
  /** By kind of damage; absent where the file is too small for it. */
  readonly damaged: Readonly<Record<string, boolean>>
}

export const noFormat = 'none'
export const alarming = ({ judgement }: Verdict): boolean => judgement === 'broken' || judgement === 'suspect'

/** Files below a folder, sorted, by paths relative to it. */
export const filesBelow = async (folder: string): Promise<string[]> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  return files.map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)).sort()
}

/** Judges one file whole and, unless no rule tells its format, after each cut and damage. */
export const sweep = async (
  folder: string,
  path: string,
  options: { readonly intactOnly?: boolean } = {},
): Promise<Swept> => {
  const source = await openFile(join(folder, path))
  try {
    const { format, spent, ...intact } = await judge(source, path)
    const about = { path, format: format?.id ?? noFormat, size: source.size, intact, ...spent }
    const counts = { broken: 0, suspect: 0, harmless: 0 }
    const missed: number[] = []
    const damaged: Record<string, boolean> = {}
    if (format === undefined || intact.judgement === 'unknown' || options.intactOnly === true)
      return { ...about, ...counts, missed, damaged }
    for (const size of cutsOf(source.size)) {
      const verdict = await judge(cutTo(source, size), path)
      if (verdict.judgement === 'broken' || verdict.judgement === 'suspect') counts[verdict.judgement] += 1
      else if (stillWhole(path, size)) counts.harmless += 1
      else missed.push(size)
    }
    for (const [kind, damage] of Object.entries(damages)) {
      const changed = damage(source)
      if (changed !== undefined) damaged[kind] = alarming(await judge(changed, path))
    }
    return { ...about, ...counts, missed, damaged }
  } finally {
    await source.close()
  }
}
