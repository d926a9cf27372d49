/** `npm run docs`: everything in the documentation that is made of something else. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { checks } from '../checks/index.ts'
import { catalogue } from '../src/catalogue.ts'
import { picture } from './picture.ts'

const root = join(import.meta.dirname, '..')
for (const [path, text] of catalogue(checks)) await writeFile(join(root, 'checks', path), text)
await writeFile(join(root, 'docs/terminal.svg'), await picture())
