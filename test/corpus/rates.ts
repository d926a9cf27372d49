import { readFile, writeFile } from 'node:fs/promises'
import { committed, page, sweepCommitted, tablesOf, withSection } from './committed.ts'
import { packagedModels } from './packages.ts'
import { filesBelow, type Swept, sweep } from './sweep.ts'

// `npm run rates`: writes the table of the committed files into src/formats/README.md. `npm run rates -- packages [FOLDER …]`
// writes the other table, of the model files of public packages and of large generated files below the folders.

const [what, ...folders] = process.argv.slice(2)
const more = async (): Promise<Swept[]> => {
  const swept: Swept[] = []
  for (const folder of [await packagedModels(), ...folders]) {
    for (const path of await filesBelow(folder)) swept.push(await sweep(folder, path))
  }
  return swept
}
const section = what === 'packages' ? 'packages' : 'committed'
const swept = section === 'packages' ? await more() : await sweepCommitted()
await writeFile(page, withSection(await readFile(page, 'utf8'), section, tablesOf(swept)))
console.log(`${section}: ${swept.length} files${section === 'committed' ? ` below ${committed}` : ''}`)
