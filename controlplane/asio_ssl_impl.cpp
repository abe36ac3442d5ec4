// SPDX-License-Identifier: Apache-2.0
// The part of Asio that stands on OpenSSL, once (BOOST_ASIO_SEPARATE_COMPILATION).
#include <boost/asio/ssl/impl/src.hpp>
