import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { checks } from '../checks/index.ts'
import { catalogue } from '../src/catalogue.ts'

/** The pages of all checks, below a folder that is there or is made. */
export const writePages = async (dir: string): Promise<void> => {
  for (const [path, text] of catalogue(checks)) {
    const file = join(dir, path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text)
  }
}
