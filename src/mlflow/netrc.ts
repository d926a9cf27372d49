/** The login that `requests` takes from a netrc file for a host (`requests.utils.get_netrc_auth`): it wins over every other login. */
export const netrcLogin = (text: string, host: string): { username: string; password: string } | undefined => {
  const words = text
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('#'))
    .join('\n')
    .split(/\s+/)
  let machine: string | undefined
  let fallback: { username: string; password: string } | undefined
  let login = ''
  let password = ''
  const settle = (): { username: string; password: string } | undefined => {
    if (machine === undefined || password === '') return undefined
    if (machine === host) return { username: login, password }
    if (machine === '') fallback = { username: login, password }
    return undefined
  }
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i]
    if (word === 'machine' || word === 'default') {
      const found = settle()
      if (found) return found
      machine = word === 'default' ? '' : (words[i + 1] ?? '')
      if (word === 'machine') i += 1
      login = ''
      password = ''
    } else if (word === 'login' || word === 'user') {
      login = words[i + 1] ?? ''
      i += 1
    } else if (word === 'password') {
      password = words[i + 1] ?? ''
      i += 1
    }
  }
  return settle() ?? fallback
}
