import { opendir, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { Trouble } from '../errors.ts'
import type { PlannedFile, PlannedUpload } from '../needs/declarations.ts'
import { parseSize } from './sizes.ts'

/** What `--size` or `--model` announce; undefined when neither was given. @throws Trouble `usage` */
export const plannedUpload = async (args: {
  size?: string
  model?: string
  as: PlannedUpload['as']
}): Promise<PlannedUpload | undefined> => {
  if (args.size !== undefined) return summed([{ path: 'planned file', bytes: parseSize('--size', args.size) }], args.as)
  if (args.model !== undefined) return summed(await filesBelow(args.model), args.as)
  return undefined
}

const summed = (files: readonly PlannedFile[], as: PlannedUpload['as']): PlannedUpload => ({
  files,
  largest: files.reduce((most, { bytes }) => Math.max(most, bytes), 0),
  total: files.reduce((sum, { bytes }) => sum + bytes, 0),
  as,
})

const filesBelow = async (dir: string): Promise<PlannedFile[]> => {
  const files: PlannedFile[] = []
  try {
    for await (const entry of await opendir(dir, { recursive: true })) {
      const file = join(entry.parentPath, entry.name)
      // MLflow copies what a link points to, so that is what will be uploaded.
      const { size, isFile } = await stat(file).then((found) => ({ size: found.size, isFile: found.isFile() }))
      if (isFile) files.push({ path: relative(dir, file).split(sep).join('/'), bytes: size })
    }
  } catch (error) {
    throw new Trouble({
      kind: 'usage',
      what: `cannot read the model folder ${dir}`,
      why: (error as Error).message,
      todo: 'Give --model a folder whose files you may read',
    })
  }
  return files
}
