import { goProgram } from './go.ts'
import { onFreePorts } from './ports.ts'
import { type Running, serve } from './running.ts'
import { freshDir } from './scratch.ts'

interface Toxic {
  readonly type: 'latency' | 'bandwidth' | 'timeout' | 'reset_peer' | 'limit_data' | 'slicer' | 'slow_close'
  /** `downstream` unless told: from the server to the client. */
  readonly stream?: 'upstream' | 'downstream'
  /** The share of connections that get it; 1 unless told. */
  readonly toxicity?: number
  /** latency, timeout: ms; bandwidth: KB/s under `rate`; limit_data: `bytes`. */
  readonly attributes?: Readonly<Record<string, number>>
}

interface ToxicLink {
  readonly url: string
  readonly name: string
  /** Works on connections that are open already, too. */
  toxic(toxic: Toxic): Promise<void>
  /** Off: connections are refused. */
  enable(on: boolean): Promise<void>
  /** Takes all toxics away and switches it on. */
  reset(): Promise<void>
}

export interface Toxiproxy extends Running {
  /** Of its control API. */
  readonly url: string
  proxy(upstream: string): Promise<ToxicLink>
}

/** toxiproxy 2.5.0. Throws LabMissing without Go. */
export async function startToxiproxy(): Promise<Toxiproxy> {
  const binary = await goProgram('toxiproxy')
  return onFreePorts(1, async (port) => {
    const dir = await freshDir('toxi')
    const url = `http://127.0.0.1:${port}`
    const running = await serve({
      name: 'toxiproxy',
      command: [binary, '-host', '127.0.0.1', '-port', String(port)],
      dir,
      answers: async () => (await fetch(`${url}/version`)).ok,
    })
    let links = 0
    return { ...running, url, proxy: (upstream) => addLink(url, `link${++links}`, new URL(upstream)) }
  })
}

async function addLink(api: string, name: string, upstream: URL): Promise<ToxicLink> {
  const made = await call(api, 'POST', '/proxies', {
    name,
    listen: '127.0.0.1:0',
    upstream: upstream.host,
    enabled: true,
  })
  if (typeof made !== 'object' || made === null || !('listen' in made)) throw new Error('toxiproxy named no address')
  const at = `/proxies/${name}`
  const enable = async (on: boolean) => void (await call(api, 'POST', at, { enabled: on }))
  return {
    url: `${upstream.protocol}//${made.listen}`,
    name,
    toxic: async (toxic) => void (await call(api, 'POST', `${at}/toxics`, toxic)),
    enable,
    reset: async () => {
      const toxics = (await call(api, 'GET', `${at}/toxics`)) as { name: string }[]
      for (const toxic of toxics) await call(api, 'DELETE', `${at}/toxics/${toxic.name}`)
      await enable(true)
    },
  }
}

async function call(api: string, method: string, path: string, body?: object): Promise<unknown> {
  const response = await fetch(api + path, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  const said = await response.text()
  if (!response.ok) throw new Error(`toxiproxy answered ${method} ${path} with ${response.status}: ${said}`)
  return said === '' ? undefined : JSON.parse(said)
}
