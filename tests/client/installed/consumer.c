#include <css.h>
#include <errno.h>
#include <stdio.h>

/* Nobody serves this directory: the answer shows that the right library was called. */
int main(void) {
    css_t* css = NULL;
    const int status = css_connect("/nonexistent", &css);
    if (status != -ENOENT || css_may_act(css, NULL) != 0) {
        printf("unexpected: css_connect returned %d\n", status);
        return 1;
    }
    return 0;
}
