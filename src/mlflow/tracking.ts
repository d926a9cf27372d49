import { cwd } from 'node:process'
import type { Sleep } from './http.ts'
import type { Settings, Tracking } from './types.ts'

/**
 * The tracking store that the settings name: a server, a sqlite file or a folder; only the code for that one is loaded.
 * @throws Trouble when it does not answer, or is none.
 */
export const openTracking = async (
  settings: Settings,
  options: { readonly signal?: AbortSignal | undefined; readonly sleep?: Sleep | undefined } = {},
): Promise<Tracking> => {
  if (settings.trackingKind === 'server') return (await import('./server.ts')).openServer(settings, options)
  if (settings.trackingKind === 'sqlite') return (await import('./sqlite.ts')).openSqlite(settings.trackingUri)
  return (await import('./folder.ts')).openFolder(settings.trackingUri, cwd())
}
