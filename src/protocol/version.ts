/** Version written into logs; the same as in package.json. */
export const LORIKEET_VERSION = '0.1.0';
