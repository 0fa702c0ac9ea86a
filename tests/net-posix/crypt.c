/* crypt(3) for a nginx that has no users: no password is ever right. */
char *crypt(const char *key, const char *salt);

char *crypt(const char *key, const char *salt)
{
	(void)key, (void)salt;
	return 0;
}
