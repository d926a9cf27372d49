import { opendir, readFile, realpath, stat } from 'node:fs/promises'
import { join, posix, sep } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import { Trouble } from '../errors.ts'
import type { PlannedFile, PlannedUpload } from '../needs/declarations.ts'
import { parseSize } from './sizes.ts'

/** What `--size`, `--model` or `--files` announce; undefined when neither was given. @throws Trouble `usage` */
export const plannedUpload = async (args: {
  size?: string
  model?: string
  files?: string
  as: PlannedUpload['as']
}): Promise<PlannedUpload | undefined> => {
  if (args.size !== undefined) return summed([{ path: 'planned file', bytes: parseSize('--size', args.size) }], args.as)
  if (args.model !== undefined) {
    return { ...summed(await filesBelow(args.model, args.as), args.as), dir: args.model }
  }
  if (args.files !== undefined) return summed(listed(args.files, await readList(args.files)), args.as)
  return undefined
}

const summed = (files: readonly PlannedFile[], as: PlannedUpload['as']): PlannedUpload => ({
  files,
  largest: files.reduce((most, { bytes }) => Math.max(most, bytes), 0),
  total: files.reduce((sum, { bytes }) => sum + bytes, 0),
  as,
})

const readList = async (file: string): Promise<string> => {
  try {
    return file === '-' ? await textOf(process.stdin) : await readFile(file, 'utf8')
  } catch (error) {
    const todo = 'Give --files a text file with a line "SIZE PATH" for each planned file'
    throw new Trouble({ kind: 'usage', what: `cannot read ${file}`, why: (error as Error).message, todo })
  }
}

/** One "SIZE PATH" a line, as `du -ab` prints it; the path may hold spaces. @throws Trouble `usage` */
const listed = (file: string, list: string): PlannedFile[] => {
  const wrong = (why: string): Trouble =>
    new Trouble({
      kind: 'usage',
      what: `cannot use the list ${file}`,
      why,
      todo: 'Write a size and a path on each line, such as: 20GiB weights/model.safetensors',
    })
  const files = list.split(/\r?\n/).flatMap((line, index): PlannedFile[] => {
    if (/^\s*(#|$)/.test(line)) return []
    const [, size = '', path = ''] = /^\s*(\S+)\s+(\S.*?)\s*$/.exec(line) ?? []
    if (path === '') throw wrong(`line ${index + 1} has not both a size and a path`)
    return [{ path, bytes: parseSize(`line ${index + 1} of --files`, size) }]
  })
  if (files.length === 0) throw wrong('it names no file')
  return files
}

const unusable = (dir: string, why: string, todo: string): Trouble =>
  new Trouble({ kind: 'usage', what: `cannot plan an upload of ${dir}`, why, todo })

const filesBelow = async (dir: string, as: PlannedUpload['as']): Promise<PlannedFile[]> => {
  const files: PlannedFile[] = []
  try {
    for await (const file of walk(dir, '', as === 'log_model', [])) files.push(file)
  } catch (error) {
    if (error instanceof Trouble) throw error
    throw unusable(dir, (error as Error).message, 'Give --model a folder whose files you may read')
  }
  if (files.length === 0) throw unusable(dir, 'it holds no file', 'Give --model the folder that the model was saved to')
  return files
}

/**
 * What would be uploaded. A link to a file counts as the file. A link to a folder is followed by the copy that log_model
 * makes (`shutil.copytree`) and passed over by log_artifacts (`os.walk`), for every store (MLflow 3.17.2).
 * `above` holds the real paths of the folders that `folder` lies in.
 */
async function* walk(
  root: string,
  folder: string,
  followLinks: boolean,
  above: readonly string[],
): AsyncGenerator<PlannedFile> {
  const here = await realpath(join(root, folder))
  // Asked before a look inside, so that a link to `/` does not have the whole machine walked through first.
  if (above.some((one) => one === here || one.startsWith(here.endsWith(sep) ? here : `${here}${sep}`))) {
    const why = `the link ${folder} leads back to a folder that it lies in, and a copy of that would never end`
    throw unusable(root, why, 'Take that link out of the folder')
  }
  for await (const entry of await opendir(here)) {
    const path = posix.join(folder, entry.name)
    const found = await stat(join(here, entry.name))
    if (found.isFile()) yield { path, bytes: found.size }
    else if (found.isDirectory() && (followLinks || !entry.isSymbolicLink())) {
      yield* walk(root, path, followLinks, [...above, here])
    }
  }
}
