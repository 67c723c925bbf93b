/*
 * page.h - the files of the web page, inside the program
 *
 * The build makes the table (page/embed.cmake) where npm is there to fetch the chart library; without it the table is empty and / says so.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_HTTP_PAGE_H
#define LQ_HTTP_PAGE_H

#include <stddef.h>

struct page_file {
    const char *name, *type;
    const unsigned char *data;
    size_t n;
};
extern const struct page_file page_files[]; /* ends with name NULL */
extern const char page_hash[];              /* of all files: their addresses hold it, so that they can be cached for ever */

#endif
