/** How fast files went to a store the last time, so that a plan can say how long it will take before a byte is sent. */
import { createHash } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Host } from '../commands/command.ts'
import { sharedFolder } from '../stores/abort-rule.ts'
import type { Store } from '../stores/store.ts'
import { makeFolder } from './journal.ts'

type Rates = Readonly<Record<string, number>>

/** Bytes below which a rate says more of the requests than of the line. */
const least = 4 * 1024 * 1024
/** Stores that are remembered at most; the oldest is forgotten first. */
const most = 100

const fileOf = ({ env, home }: Pick<Host, 'env' | 'home'>): string => {
  const caches = env.XDG_CACHE_HOME?.startsWith('/') ? env.XDG_CACHE_HOME : join(home, '.cache')
  return join(caches, 'mlflow-doctor', 'rates.json')
}

/** A digest, since an address may name what is nobody else's business. */
const keyOf = ({ uri, route }: Pick<Store, 'uri' | 'route'>): string =>
  createHash('sha256')
    .update(`${route} ${sharedFolder(uri)}`)
    .digest('hex')
    .slice(0, 24)

const read = async (file: string): Promise<Rates> => {
  try {
    const found: unknown = JSON.parse(await readFile(file, 'utf8'))
    const all = found !== null && typeof found === 'object' ? Object.entries(found) : []
    return Object.fromEntries(all.filter(([, rate]) => typeof rate === 'number' && Number.isFinite(rate) && rate > 0))
  } catch {
    // Never written, or by something else: then nothing is remembered.
    return {}
  }
}

/** Bytes a second of the last transfer to this store; undefined where there was none from here. */
export const rememberedRate = async (host: Host, store: Pick<Store, 'uri' | 'route'>): Promise<number | undefined> =>
  (await read(fileOf(host)))[keyOf(store)]

/** Only a help for the next plan: where it cannot be kept, it is not. */
export const rememberRate = async (
  host: Host,
  store: Pick<Store, 'uri' | 'route'>,
  moved: { readonly sent: number; readonly ms: number },
): Promise<void> => {
  if (moved.sent < least || moved.ms <= 0) return
  const file = fileOf(host)
  const key = keyOf(store)
  const others = Object.entries(await read(file)).filter(([one]) => one !== key)
  const rates = Object.fromEntries([...others.slice(1 - most), [key, Math.round((moved.sent / moved.ms) * 1000)]])
  try {
    await makeFolder(dirname(file))
    const fresh = `${file}.${process.pid}`
    await writeFile(fresh, JSON.stringify(rates), { mode: 0o600 })
    await rename(fresh, file)
  } catch {
    // A home that cannot be written to is no reason to fail.
  }
}
