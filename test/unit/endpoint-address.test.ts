import { describe, expect, it } from 'vitest';
import { resolveEndpoint } from '../../activities/endpoint-address/resolve-endpoint.ts';
import { soundEndpoint } from '../../activities/endpoint-address/sound-endpoint.ts';

const abroad = { loopback: false };
const local = { loopback: true };
const resolved = (text: string, rules = abroad, ...found: string[]) =>
  resolveEndpoint(soundEndpoint(text, rules), rules, async () => found);

describe('the address of an endpoint', () => {
  it('is https, on any port', () => {
    expect(soundEndpoint('https://shop.example.com', abroad).href).toBe('https://shop.example.com/');
    expect(soundEndpoint('https://shop.example.com:8443/hooks?a=1', abroad).port).toBe('8443');
  });

  it.each([
    ['', 'is no address'],
    ['shop.example.com', 'is no address'],
    ['https://', 'is no address'],
    ['http://shop.example.com/', 'https'],
    ['http://127.0.0.1/', 'https'],
    ['ftp://shop.example.com/', 'https'],
    ['file:///etc/passwd', 'https'],
    ['https://ann:secret@shop.example.com/', 'user or a password'],
    ['https://ann@shop.example.com/', 'user or a password'],
    ['https://shop.example.com/#a', 'fragment'],
    [`https://shop.example.com/${'a'.repeat(2_000)}`, 'more than'],
  ])('is refused with what is wrong: %s', (text, why) => {
    expect(() => soundEndpoint(text, abroad)).toThrow(why);
  });

  it('may be this machine by http only where a deployment allows it, and only by its own name', () => {
    for (const host of ['127.0.0.1:1', 'localhost:1', '[::1]:1'])
      expect(soundEndpoint(`http://${host}/`, local).host).toBe(host);
    for (const host of ['127.0.0.2', 'localhost.example.com', '10.0.0.1', '0.0.0.0', '[::]'])
      expect(() => soundEndpoint(`http://${host}/`, local)).toThrow('https');
  });
});

describe('where an endpoint leads', () => {
  it('is what its name server says, with all of its addresses', async () => {
    expect(await resolved('https://shop.example.com', abroad, '93.184.216.34', '2606:4700::1')).toEqual([
      { address: '93.184.216.34', family: 4 },
      { address: '2606:4700::1', family: 6 },
    ]);
    expect(await resolved('https://93.184.216.34')).toEqual([{ address: '93.184.216.34', family: 4 }]);
    expect(await resolved('https://[2606:4700::1]')).toEqual([{ address: '2606:4700::1', family: 6 }]);
  });

  it('is refused if one of them is none of the Internet, or there is none', async () => {
    const refused = 'leads to no address of the Internet';
    await expect(resolved('https://shop.example.com', abroad, '93.184.216.34', '10.0.0.1')).rejects.toThrow(refused);
    await expect(resolved('https://shop.example.com', abroad, '2606:4700::1', '::ffff:127.0.0.1')).rejects.toThrow(
      refused,
    );
    await expect(resolved('https://shop.example.com')).rejects.toThrow(refused);
    // A public name that leads to this machine is not this machine's own name.
    await expect(resolved('https://shop.example.com', local, '127.0.0.1')).rejects.toThrow(refused);
  });

  it.each([
    // In every way in which a URL may write an address.
    ...['https://127.0.0.1', 'https://2130706433', 'https://0x7f.1', 'https://0177.0.0.1', 'https://127.1'],
    ...['https://[::1]', 'https://[::ffff:127.0.0.1]', 'https://[::ffff:7f00:1]', 'https://１２７.0.0.1'],
    ...['https://169.254.169.254/latest/meta-data', 'https://[fd00:ec2::254]/', 'https://[64:ff9b::7f00:1]/'],
  ])('is refused however its address is written: %s', async (text) => {
    await expect(resolved(text, abroad, '93.184.216.34')).rejects.toThrow('leads to no address');
  });

  it('is this machine where that is allowed', async () => {
    expect(await resolved('http://127.0.0.1:80', local)).toEqual([{ address: '127.0.0.1', family: 4 }]);
    expect((await resolved('http://localhost:80', local)).map(({ address }) => address)).toEqual(['127.0.0.1', '::1']);
  });
});
