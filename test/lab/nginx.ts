import { execFileSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemProgram } from './apt.ts'
import { onFreePorts } from './ports.ts'
import { type Running, serve } from './running.ts'
import { freshDir } from './scratch.ts'

export interface NginxOptions {
  /** A server's URL. */
  readonly upstream: string
  /** Lines inside `server {}`. */
  readonly directives?: string
  /** Lines inside `location / {}`. */
  readonly location?: string
  /** Lines inside `http {}`. */
  readonly http?: string
  /** With a certificate of its own for 127.0.0.1 and localhost; its CA is `caFile`. `expired`: since yesterday; `other-host`: for another name. */
  readonly tls?: boolean | 'expired' | 'other-host'
}

export interface Nginx extends Running {
  readonly url: string
  readonly caFile?: string
  /** Holds `nginx.conf`, `error.log`, `access.log` and `body/` (where request bodies are buffered). */
  readonly dir: string
}

/** The distribution's nginx in front of a server, with nginx's own defaults besides what the options say. */
export async function startNginx(options: NginxOptions): Promise<Nginx> {
  const nginx = await systemProgram('nginx', 'nginx-light')
  return onFreePorts(1, async (port) => {
    const dir = await freshDir('nginx')
    for (const name of ['body', 'proxy', 'other']) await mkdir(join(dir, name))
    const ca = options.tls
      ? await makeCertificate(await systemProgram('openssl', 'openssl'), dir, options.tls)
      : undefined
    await writeFile(join(dir, 'nginx.conf'), configuration(options, dir, port))
    const url = `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`
    const running = await serve({
      name: 'nginx',
      command: [nginx, '-p', dir, '-c', join(dir, 'nginx.conf'), '-e', join(dir, 'error.log')],
      dir,
      answers: async () => {
        // Any answer of its own will do: the upstream may be one that a test has not started or has killed.
        const response = await fetch(`http://127.0.0.1:${port}/`, { method: 'HEAD', redirect: 'manual' })
        return response.status > 0
      },
    })
    return { ...running, url, dir, ...(ca === undefined ? {} : { caFile: ca }) }
  })
}

function configuration(options: NginxOptions, dir: string, port: number): string {
  const tls = options.tls ? `ssl_certificate ${dir}/cert.pem;\n    ssl_certificate_key ${dir}/key.pem;` : ''
  // Without root the master may not switch users; with root the workers must be able to reach the scratch folder.
  const user = process.getuid?.() === 0 ? 'user root;' : ''
  return `${user}
daemon off;
worker_processes 1;
pid ${dir}/nginx.pid;
error_log ${dir}/error.log info;
events { worker_connections 256; }
http {
  access_log ${dir}/access.log;
  client_body_temp_path ${dir}/body;
  proxy_temp_path ${dir}/proxy;
  fastcgi_temp_path ${dir}/other;
  uwsgi_temp_path ${dir}/other;
  scgi_temp_path ${dir}/other;
  ${options.http ?? ''}
  server {
    listen 127.0.0.1:${port}${options.tls ? ' ssl' : ''};
    ${tls}
    ${options.directives ?? ''}
    location / {
      proxy_pass ${options.upstream};
      ${options.location ?? ''}
    }
  }
}
`
}

/** A certificate that is its own CA, good for a year unless told; gives the path of the CA file. */
async function makeCertificate(openssl: string, dir: string, kind: true | 'expired' | 'other-host'): Promise<string> {
  const cert = join(dir, 'cert.pem')
  const key = join(dir, 'key.pem')
  const request = join(dir, 'request.pem')
  const names = join(dir, 'names.cnf')
  await writeFile(
    names,
    `subjectAltName=${kind === 'other-host' ? 'DNS:mlflow.example' : 'IP:127.0.0.1,DNS:localhost'}\n`,
  )
  const subject = kind === 'other-host' ? '/CN=mlflow.example' : '/CN=127.0.0.1'
  const run = (args: readonly string[]) => execFileSync(openssl, args, { stdio: 'ignore' })
  run(['req', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', request, '-subj', subject])
  // Only x509 takes a negative number of days; req has refused one since OpenSSL 3.
  const days = kind === 'expired' ? '-1' : '365'
  run(['x509', '-req', '-in', request, '-signkey', key, '-days', days, '-extfile', names, '-out', cert])
  return cert
}
