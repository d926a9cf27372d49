import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A fresh folder with a short name. Whoever makes it removes it; `scratch` in index.ts does that for tests. */
export function freshDir(name: string): Promise<string> {
  return mkdtemp(join(tmpdir(), `mdlab-${name}-`))
}

export function removeDir(dir: string): Promise<void> {
  return rm(dir, { recursive: true, force: true, maxRetries: 3 })
}
