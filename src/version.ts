import { readFileSync } from 'node:fs'

/** Of the package. One place: a bundle has it written in here. */
export const version: string = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
).version
