/** `npm run docs`: everything in the documentation that is made of something else. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writePages } from './pages.ts'
import { picture } from './picture.ts'

const root = join(import.meta.dirname, '..')
await writePages(join(root, 'checks'))
await writeFile(join(root, 'docs/terminal.svg'), await picture())
