/** Writes checks/README.md from the declarations. */
import { writeFile } from 'node:fs/promises'
import { checks } from '../checks/index.ts'
import { catalogue } from './catalogue.ts'

await writeFile(new URL('../checks/README.md', import.meta.url), catalogue(checks))
