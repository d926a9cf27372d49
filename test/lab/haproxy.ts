import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemProgram } from './apt.ts'
import { onFreePorts } from './ports.ts'
import { type Running, serve } from './running.ts'
import { freshDir } from './scratch.ts'

export interface HaproxyOptions {
  /** A server's URL. */
  readonly upstream: string
  /** Lines of the `defaults` section; a time-out given here wins over the lab's. */
  readonly defaults?: string
  readonly frontend?: string
  readonly backend?: string
}

/** The distribution's haproxy in front of a server. */
export async function startHaproxy(options: HaproxyOptions): Promise<Running & { readonly url: string }> {
  const haproxy = await systemProgram('haproxy', 'haproxy')
  return onFreePorts(1, async (port) => {
    const dir = await freshDir('haproxy')
    const file = join(dir, 'haproxy.cfg')
    await writeFile(file, configuration(options, port))
    const url = `http://127.0.0.1:${port}`
    const running = await serve({
      name: 'haproxy',
      // -db: in the foreground.
      command: [haproxy, '-db', '-f', file],
      dir,
      // 503 while the upstream is away is an answer too.
      answers: async () => (await fetch(url, { method: 'HEAD', redirect: 'manual' })).status > 0,
    })
    return { ...running, url }
  })
}

function configuration(options: HaproxyOptions, port: number): string {
  return `global
  maxconn 256
  log stdout format raw local0
defaults
  mode http
  log global
  option httplog
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  ${options.defaults ?? ''}
frontend in
  bind 127.0.0.1:${port}
  ${options.frontend ?? ''}
  default_backend out
backend out
  ${options.backend ?? ''}
  server upstream ${new URL(options.upstream).host}
`
}
