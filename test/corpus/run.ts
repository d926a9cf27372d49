import { parseArgs } from 'node:util'
import { packagedModels } from './packages.ts'
import { cutsTable, damageTable, ratesOf } from './rates-table.ts'
import { damages } from './source.ts'
import { alarming, filesBelow, type Swept, sweep } from './sweep.ts'
import { belowThreshold } from './thresholds.ts'

// `npm run corpus`: judges the model files of public packages, and those below the folders that are named, whole; with
// --cuts also after every cut and damage. Fails on every alarm about a whole file and every rate below its threshold.

const { values, positionals } = parseArgs({ options: { cuts: { type: 'boolean' } }, allowPositionals: true })
const swept: Swept[] = []
const alarms: string[] = []
for (const folder of [await packagedModels(), ...positionals]) {
  for (const path of await filesBelow(folder)) {
    const file = await sweep(folder, path, { intactOnly: values.cuts !== true })
    swept.push(file)
    if (alarming(file.intact)) alarms.push(`${path}: ${file.format} ${file.intact.judgement}, ${file.intact.because}`)
  }
}
console.log(`${cutsTable(ratesOf(swept))}\n`)
if (values.cuts === true) console.log(`${damageTable(swept, Object.keys(damages))}\n`)
const weak = values.cuts === true ? belowThreshold(ratesOf(swept)) : []
for (const line of [...alarms, ...weak]) console.log(line)
console.log(`${swept.length - alarms.length} passed, ${alarms.length + weak.length} failed`)
process.exitCode = alarms.length + weak.length === 0 ? 0 : 1
